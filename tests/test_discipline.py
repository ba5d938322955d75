"""conftest.py at the root: the order of a run, and skips in CI."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

SUITE = """
import pytest

@pytest.mark.slow
def test_slow(): pass

@pytest.mark.skip(reason="no database")
def test_marked(): pass

def test_inside(): pytest.skip("no server")

def test_quick(): pass

@pytest.mark.xfail(reason="known", strict=True)
def test_known(): raise AssertionError
"""


def run(folder: Path, *, ci: bool) -> subprocess.CompletedProcess[str]:
    shutil.copy(ROOT / "conftest.py", folder)
    (folder / "pytest.ini").write_text("[pytest]\nmarkers =\n    slow\n    crash\n")
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-v", "-p", "no:cacheprovider", "."],
        cwd=folder,
        env=os.environ | {"CI": "true" if ci else ""},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    (tmp_path / "test_it.py").write_text(SUITE, encoding="utf-8")
    return tmp_path


def test_a_skip_is_a_failure_in_ci_and_says_its_reason(suite: Path) -> None:
    done = run(suite, ci=True)
    assert done.returncode == 1
    assert "1 failed, 2 passed, 1 xfailed, 1 error" in done.stdout
    assert "test_marked was skipped in CI: Skipped: no database" in done.stdout
    assert "test_inside was skipped in CI: Skipped: no server" in done.stdout


def test_a_file_that_skips_itself_is_a_failure_in_ci(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text("import pytest\npytest.importorskip('no_such_driver')\n")
    done = run(tmp_path, ci=True)
    assert done.returncode == 2
    assert "no_such_driver" in done.stdout


def test_elsewhere_a_skip_stays_one(suite: Path) -> None:
    done = run(suite, ci=False)
    assert done.returncode == 0
    assert "2 passed, 2 skipped, 1 xfailed" in done.stdout


def test_slow_tests_run_last(suite: Path) -> None:
    lines = [line for line in run(suite, ci=False).stdout.splitlines() if " PASSED" in line]
    assert ["quick" in line for line in lines] == [True, False]

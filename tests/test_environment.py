"""scripts/environment.py: when it installs, and when it has nothing to do."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def environment(tmp_path: Path) -> ModuleType:
    """The script in a tree of its own whose environment looks installed."""
    for name in ("setup.py", "pyproject.toml", "adapter/__init__.py", "scripts/environment.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    shutil.copytree(ROOT / "requirements", tmp_path / "requirements")
    spec = importlib.util.spec_from_file_location("its", tmp_path / "scripts" / "environment.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.PYTHON.parent.mkdir(parents=True)
    module.PYTHON.touch()
    for kind in module.LOCKS:
        module.stamp(kind).write_text(module.digest(kind), encoding="utf-8")
    return module


def test_nothing_is_done_twice(environment: ModuleType) -> None:
    assert environment.installed("run")
    assert environment.installed("dev")


@pytest.mark.parametrize("name", ["setup.py", "requirements/lock.txt", "requirements/build.txt"])
def test_a_change_of_what_is_installed_is_seen(environment: ModuleType, name: str) -> None:
    changed = environment.ROOT / name
    changed.write_text(changed.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    assert not environment.installed("run")
    assert not environment.installed("dev")


def test_a_tool_of_the_tests_does_not_concern_the_node(environment: ModuleType) -> None:
    changed = environment.ROOT / "requirements" / "dev.txt"
    changed.write_text(changed.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    assert environment.installed("run")
    assert not environment.installed("dev")


def test_an_environment_without_its_interpreter_is_not_installed(environment: ModuleType) -> None:
    environment.PYTHON.unlink()
    assert not environment.installed("run")
    assert not environment.usable()


def test_a_wrong_word_is_bad_use(environment: ModuleType) -> None:
    script = environment.ROOT / "scripts" / "environment.py"
    done = subprocess.run([sys.executable, script, "production"], capture_output=True, check=False)
    assert done.returncode == 2
    assert b"usage: environment.py run|dev" in done.stderr

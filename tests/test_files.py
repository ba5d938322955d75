"""Limits of the process."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.nodes import ROOT

LIMITED = """
import resource
from adapter.files import allow_many_open
_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (256, min(hard, 2_000) if hard > 0 else 2_000))
print(allow_many_open(), *resource.getrlimit(resource.RLIMIT_NOFILE))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
def test_as_many_files_may_be_open_as_the_system_allows() -> None:
    told = subprocess.run(
        [sys.executable, "-c", LIMITED], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert told.stdout.split() == ["2000"] * 3

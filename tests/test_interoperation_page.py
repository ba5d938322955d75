"""Every test that docs/interoperation.md names is there."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parent
PAGE = TESTS.parent / "docs" / "interoperation.md"


def test_every_test_that_is_named_exists() -> None:
    page = PAGE.read_text("utf-8")
    rows = [line for line in page.splitlines() if line.startswith("|")]
    assert len(rows) > 40
    for row in rows:
        last = ""
        for word in re.findall(r"`([^`]*test_[^`]*)`", row.rpartition(" | ")[2]):
            file, _, name = word.rpartition("::") if not word.endswith(".py") else (word, "", "")
            last = file or last
            path = TESTS.parent / last if "/" in last else TESTS / "doors" / last
            assert path.is_file(), word
            assert not name or f"def {name}(" in path.read_text("utf-8"), word

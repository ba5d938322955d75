"""docs/reliability.md names tests that exist, and every test of a fault."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from tests.nodes import ROOT

PAGE = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
_NAMED = re.compile(r"`(?:(tests/[\w/]+\.py)::)?(test_\w+)`")
_PLACE = re.compile(r"All in `(tests/[\w/]+\.py)`")


def functions(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


def named_in(page: str) -> set[tuple[str, str]]:
    """File and name; a bare name belongs to the file that its section states."""
    found: set[tuple[str, str]] = set()
    for section in page.split("\n## "):
        place = _PLACE.search(section)
        for path, name in _NAMED.findall(section):
            assert path or place, f"{name}: in which file?"
            found.add((path or (place[1] if place else ""), name))
    return found


def test_every_test_that_is_named_exists() -> None:
    missing = [
        f"{path}::{name}" for path, name in named_in(PAGE) if name not in functions(ROOT / path)
    ]
    assert missing == []


def test_every_test_of_a_fault_is_named() -> None:
    files = sorted((ROOT / "tests" / "faults").glob("test_*.py"))
    there = {(f"tests/faults/{path.name}", name) for path in files for name in functions(path)}
    assert files
    assert there - named_in(PAGE) == set()

"""docs/operator/hardening.md names tests that exist, and every test of an attack."""

from __future__ import annotations

from tests.nodes import ROOT
from tests.test_reliability import functions, named_in

PAGE = (ROOT / "docs" / "operator" / "hardening.md").read_text(encoding="utf-8")


def test_every_test_that_is_named_exists() -> None:
    missing = [
        f"{path}::{name}" for path, name in named_in(PAGE) if name not in functions(ROOT / path)
    ]
    assert missing == []


def test_every_attack_is_named() -> None:
    files = sorted((ROOT / "tests" / "attacks").glob("test_*.py"))
    there = {(f"tests/attacks/{path.name}", name) for path in files for name in functions(path)}
    assert files
    assert there - named_in(PAGE) == set()

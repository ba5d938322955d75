"""The locks: complete, agreeing with each other, and silent about where they came from."""

from __future__ import annotations

import ast
import json
import re
from functools import cache
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
LOCKS = ("build.txt", "lock.txt", "dev.txt")


@cache
def locked(name: str) -> dict[str, str]:
    """Package -> version."""
    text = (ROOT / "requirements" / name).read_text(encoding="utf-8")
    found = re.findall(r"^([a-z0-9-]+)==([^\s;]+)", text, re.MULTILINE)
    return {canonicalize_name(package): version for package, version in found}


@cache
def wanted(variable: str) -> list[Requirement]:
    """The requirements of one list in setup.py, without what it takes from the others."""
    for node in ast.parse((ROOT / "setup.py").read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == variable:
            constants = [each for each in ast.walk(node.value) if isinstance(each, ast.Constant)]
            return [Requirement(str(each.value)) for each in constants]
    raise AssertionError(f"setup.py has no {variable}")


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_names_no_index_no_host_and_no_path(name: str) -> None:
    text = (ROOT / "requirements" / name).read_text(encoding="utf-8")
    assert not re.search(r"://|index|find-links|trusted|^-|^/|file:", text, re.MULTILINE)


@pytest.mark.parametrize("name", LOCKS)
def test_every_package_has_a_hash(name: str) -> None:
    text = (ROOT / "requirements" / name).read_text(encoding="utf-8")
    packages = re.split(r"\n(?=[a-z0-9])", text)[1:]
    assert len(packages) == len(locked(name))
    for package in packages:
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", package), package


@pytest.mark.parametrize(
    ("variable", "name"),
    [
        ("RUNTIME", "lock.txt"),
        ("POSTGRESQL", "lock.txt"),
        ("MYSQL", "lock.txt"),
        ("ORACLE", "lock.txt"),
        ("MSSQL", "lock.txt"),
        ("BENCH", "lock.txt"),
        ("DEV", "dev.txt"),
    ],
)
def test_what_setup_asks_for_is_locked(variable: str, name: str) -> None:
    """A failure means: run scripts/lock."""
    assert wanted(variable)
    for requirement in wanted(variable):
        version = locked(name).get(canonicalize_name(requirement.name))
        assert version, requirement
        assert requirement.specifier.contains(version), (requirement, version)


def test_the_tests_run_on_the_versions_that_are_installed_in_production() -> None:
    assert locked("lock.txt").items() <= locked("dev.txt").items()


@pytest.mark.parametrize("folder", ["connectors/smpp/node", "callbacks/node"])
def test_npm_packages_have_a_hash_and_name_no_host(folder: str) -> None:
    text = (ROOT / "tests" / folder / "package-lock.json").read_text(encoding="utf-8")
    packages = {name: each for name, each in json.loads(text)["packages"].items() if name}
    wanted = json.loads((ROOT / "tests" / folder / "package.json").read_text(encoding="utf-8"))
    assert {f"node_modules/{name}" for name in wanted["dependencies"]} <= packages.keys()
    assert all(each["integrity"].startswith("sha512-") for each in packages.values())
    assert "resolved" not in text

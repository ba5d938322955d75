"""The discipline of a run: quick tests first, and in CI (`CI=true`) none is skipped.

A test that is skipped proves nothing, and a service that is missing on the CI machine would
hide a whole suite; there each skip is a failure that says its reason.
"""

from __future__ import annotations

import os
from collections.abc import Generator

import pytest

LATE = ("slow", "crash")


def in_ci() -> bool:
    return os.environ.get("CI") == "true"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: any(item.get_closest_marker(name) for name in LATE))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if in_ci() and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped in CI: {reason(report.longrepr)}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    if in_ci() and report.skipped:
        report.outcome = "failed"
        report.longrepr = f"{collector.nodeid} was skipped in CI: {reason(report.longrepr)}"
    return report


def reason(skipped: object) -> str:
    """pytest keeps a skip as (file, line, reason)."""
    return str(skipped[-1]) if isinstance(skipped, tuple) else str(skipped)

"""The tree of a configuration as its rules see it, and where they note faults."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol

from lxml import etree


class Notes(Protocol):
    """See `adapter.config.semantics`, which keeps them. Relative paths start at `folder`."""

    @property
    def folder(self) -> Path: ...
    def all(self, way: str) -> list[etree._Element]: ...
    def get(self, element: etree._Element, attribute: str, default: str = "") -> str: ...
    def file(self, element: etree._Element, attribute: str) -> str: ...
    def fault(self, element: etree._Element, attribute: str, message: str) -> None: ...
    def warn(self, element: etree._Element, attribute: str, message: str) -> None: ...


def repeated(
    notes: Notes, elements: Iterable[etree._Element], attribute: str
) -> Iterator[tuple[etree._Element, str]]:
    """Elements whose attribute says what an earlier one said."""
    seen: set[str] = set()
    for element in elements:
        value = notes.get(element, attribute)
        if value and value in seen:
            yield element, value
        seen.add(value)

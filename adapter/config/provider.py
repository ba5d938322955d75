"""A channel over web services: from `<provider>` to the settings of `connectors.web`.

Addresses, headers, fields and bodies stand in elements, where `${name}` is a place to fill in;
secrets stand in attributes, as everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from lxml import etree

from adapter.config.document import NAMESPACE
from connectors.web.settings import (
    Call,
    Digest,
    Items,
    Pull,
    Push,
    Result,
    Submission,
    Then,
    WebSettings,
)

_T = TypeVar("_T")
Given = Callable[[etree._Element, type[Any]], dict[str, Any]]
"""The fields of a class that have an attribute in an element."""


class ProviderReader:
    """Reads `<provider>` and what is in it. `given` reads attributes, `folder` is where relative
    paths start. Raises ValueError and KeyError for what the schema has found wrong."""

    def __init__(self, given: Given, folder: Path) -> None:
        self._given = given
        self._folder = folder

    def settings(self, element: etree._Element, name: str) -> WebSettings:
        submit = only(element, "submit")
        if submit is None:
            raise ValueError("no <submit>")
        ping = only(element, "ping")
        answer = None if ping is None else only(ping, "answer")
        given = self._given(element, WebSettings)
        for path in ("ca", "certificate", "certificate_key", "wsdl"):
            if given.get(path):
                given[path] = str(self._folder / given[path])
        return WebSettings(
            **{
                **given,
                "name": name,
                "submit": self.submission(submit),
                "values": MappingProxyType(
                    {each.get("name", ""): each.get("is", "") for each in every(element, "value")}
                ),
                "digests": tuple(self.digest(each) for each in every(element, "digest")),
                "pulls": tuple(self.pull(each) for each in every(element, "pull")),
                "pushes": tuple(self.push(each) for each in every(element, "push")),
                "ping": None if ping is None else self.call(ping),
                "ping_result": None if answer is None else self.result(answer),
            }
        )

    def submission(self, element: etree._Element) -> Submission:
        answer = only(element, "answer")
        return self._read(
            element,
            Submission,
            call=self.call(element),
            result=Result() if answer is None else self.result(answer),
            entry=text(element, "entry"),
        )

    def call(self, element: etree._Element) -> Call:
        return self._read(
            element,
            Call,
            url=text(element, "url"),
            headers=_named(element, "header"),
            fields=_named(element, "field"),
            body=text(element, "body"),
        )

    def result(self, element: etree._Element) -> Result:
        actions: Mapping[str, Then] = MappingProxyType(
            {
                code: Then(each.get("then", ""))
                for each in every(element, "action")
                for code in each.get("codes", "").split()
            }
        )
        return self._read(element, Result, actions=actions)

    def items(self, element: etree._Element) -> Items:
        return self._read(element, Items)

    def digest(self, element: etree._Element) -> Digest:
        return self._read(element, Digest, text=(element.text or "").strip())

    def pull(self, element: etree._Element) -> Pull:
        acknowledge = only(element, "acknowledge")
        return self._read(
            element,
            Pull,
            call=self.call(element),
            acknowledge=None if acknowledge is None else self.call(acknowledge),
            **self._both(element),
        )

    def push(self, element: etree._Element) -> Push:
        return self._read(element, Push, reply=text(element, "reply"), **self._both(element))

    def _both(self, element: etree._Element) -> dict[str, Items | None]:
        found = {name: only(element, name) for name in ("receipts", "inbound")}
        return {name: None if each is None else self.items(each) for name, each in found.items()}

    def _read(self, element: etree._Element, cls: type[_T], **more: Any) -> _T:
        return cls(**{**self._given(element, cls), **more})


def only(parent: etree._Element, name: str) -> etree._Element | None:
    return parent.find(f"{{{NAMESPACE}}}{name}")


def every(parent: etree._Element, name: str) -> list[etree._Element]:
    return parent.findall(f"{{{NAMESPACE}}}{name}")


def text(parent: etree._Element, name: str) -> str:
    """What stands in a child, without white space around it."""
    child = only(parent, name)
    return "" if child is None else (child.text or "").strip()


def _named(parent: etree._Element, name: str) -> tuple[tuple[str, str], ...]:
    return tuple((each.get("name", ""), (each.text or "").strip()) for each in every(parent, name))

"""Structs that the collector skips (`gc=False`) are never part of a cycle (decisions/0017)."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Hashable, Iterator
from enum import Enum
from graphlib import TopologicalSorter
from typing import Any, get_args, get_origin, get_type_hints

from msgspec import Struct

import adapter
import connectors
import dbpoll

PACKAGES = (adapter, connectors, dbpoll)
OURS = tuple(f"{package.__name__}." for package in PACKAGES)

OPEN = (Any, Callable, Hashable)
"""Types that do not say what a field holds."""

JUDGED = {
    # A flight with the number of its segment: it knows nothing of the submit.
    ("connectors.values.Submit", "token"),
    # The way out of a connection, which does not know who waits for it.
    ("connectors.values.Responding", "write"),
    # As it was decoded: PDUs are in this test themselves.
    ("connectors.server_dialect.Submitted", "pdu"),
    # Numbers of frames.
    ("connectors.dialect.SubmitAnswered", "sequence"),
    ("connectors.server_dialect.Submitted", "sequence"),
    ("connectors.server_dialect.Acknowledged", "sequence"),
}
"""Fields of such types, each looked at."""


def untracked() -> list[type[Any]]:
    for package in PACKAGES:
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not found.name.endswith((".__main__", ".env")):
                importlib.import_module(found.name)
    return [each for each in descendants(Struct) if is_ours(each) and not each.__struct_config__.gc]


def is_ours(each: type[Any]) -> bool:
    return each.__module__.startswith(OURS) and not issubclass(each, Enum)


def descendants(of: type[Struct]) -> Iterator[type[Struct]]:
    for each in of.__subclasses__():
        yield each
        yield from descendants(each)


def name(of: type[Any]) -> str:
    return f"{of.__module__}.{of.__qualname__}"


def named(hint: Any) -> Iterator[Any]:
    """The types that a hint is made of; of a callable only that it is one."""
    inner = () if get_origin(hint) is Callable else get_args(hint)
    if not inner:
        yield get_origin(hint) or hint
    for each in inner:
        if each is not ...:
            yield from named(each)


def test_no_struct_that_the_collector_skips_can_be_part_of_a_cycle() -> None:
    waiting = untracked()
    assert len(waiting) > 50
    holds: dict[str, set[str]] = {}
    while waiting:
        holder = waiting.pop()
        if name(holder) in holds:
            continue
        holds[name(holder)] = held = set()
        for field, hint in get_type_hints(holder).items():
            for each in named(hint):
                if each in OPEN:
                    assert (name(holder), field) in JUDGED
                elif is_ours(each):
                    held.add(name(each))
                    waiting.append(each)
    TopologicalSorter(holds).prepare()
    assert {struct for struct, _ in JUDGED} <= set(holds)

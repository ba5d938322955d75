"""What a carrier's code means, and what to do about it: the entries of the tables of codes."""

from __future__ import annotations

from dataclasses import dataclass

from connectors.values import Action


@dataclass(frozen=True, slots=True)
class Result:
    """A submit result: what to do, and the reading in Chinese and English."""

    action: Action
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Stat:
    """A report's stat. `final` is False for intermediate ones."""

    delivered: bool
    final: bool
    zh: str
    en: str

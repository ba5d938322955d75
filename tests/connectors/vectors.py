"""The frames of tests/data/vectors.json, by protocol."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

_ALL: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[1] / "data" / "vectors.json").read_text("utf-8")
)


def vectors(protocol: str) -> list[dict[str, Any]]:
    """All of a protocol's, in the file's order."""
    return [vector for vector in _ALL if vector["protocol"] == protocol]


def named(name: str) -> dict[str, Any]:
    """The one of this name."""
    return next(vector for vector in _ALL if vector["name"] == name)


def frames(protocol: str) -> list[bytes]:
    """The octets of all of a protocol's."""
    return [bytes.fromhex(vector["hex"]) for vector in vectors(protocol)]

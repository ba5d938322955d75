"""The frame viewer shows of SMGP and SGIP what the vectors' authors saw."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.pdu_view import describe
from tests.connectors.vectors import vectors


@pytest.mark.parametrize("vector", [*vectors("SMGP"), *vectors("SGIP")], ids=lambda v: v["name"])
def test_vector(vector: dict[str, Any]) -> None:
    seen = describe(vector["protocol"], vector["version"], vector["hex"])
    assert seen["name"] == vector["pdu"]
    assert seen["hex"] == vector["hex"]
    assert seen["fields"] == vector["fields"]

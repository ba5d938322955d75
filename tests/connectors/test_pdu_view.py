"""The frame viewer shows what the vectors' authors saw."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.pdu_view import describe
from tests.connectors.cmpp.test_pdus import VECTORS


@pytest.mark.parametrize("vector", VECTORS, ids=lambda v: v["name"])
def test_vector(vector: dict[str, Any]) -> None:
    seen = describe("cmpp", vector["version"], vector["hex"])
    assert seen["name"] == vector["pdu"]
    assert seen["hex"] == vector["hex"]
    shown = {name: seen["fields"].get(name) for name in vector["fields"]}
    assert shown == vector["fields"]


def test_hex_as_people_paste_it() -> None:
    seen = describe("CMPP", "3.0", "0x00 00 00 0C\n00:00:00:08  00000017")
    assert seen["name"] == "CMPP_ACTIVE_TEST"
    assert seen["fields"]["Sequence_Id"] == 23


def test_octets_hidden_behind_a_nul_are_shown() -> None:
    frame = bytearray(bytes.fromhex(next(
        v["hex"] for v in VECTORS if v["name"] == "cmpp2_deliver_mo_ascii"
    )))  # fmt: skip
    frame[20 + 20] = 0xFF
    fields = describe("cmpp", "2.0", frame.hex())["fields"]
    assert fields["Dest_Id"] == "900001"
    assert fields["Dest_Id_raw"] == bytes(frame[20:41]).hex()


@pytest.mark.parametrize(
    ("text", "error", "offset"),
    [
        ("zz", "not a hexadecimal digit: 'z'", 0),
        ("0000000", "half an octet at the end", 3),
        ("", "Total_Length at 0: a header has 12 octets", 0),
        ("0000000c0000000300000001", "Command_Id at 4: unknown command 0x00000003", 4),
        ("000000140000000500000001" + "00" * 8, "Dest_Id at 20: needs 21 octets, 0 left", 20),
    ],
)
def test_faults_tell_where(text: str, error: str, offset: int) -> None:
    seen = describe("cmpp", "3.0", text)
    assert (seen["error"], seen["offset"]) == (error, offset)


def test_an_unknown_protocol_is_refused() -> None:
    with pytest.raises(ValueError, match=r"version .*: cmpp has 2\.0, 2\.1, 3\.0"):
        describe("cmpp", "9.9", "")

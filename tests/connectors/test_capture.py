"""What people paste: hex in every form, dumps of every tool, several frames at once."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.capture import pieces
from connectors.pdu_view import describe_all
from tests.connectors.fuzzing import seeds
from tests.connectors.vectors import named

TEST = bytes.fromhex("0000000c0000000800000017")
SUBMIT = bytes.fromhex(named("cmpp3_submit_ucs2_short")["hex"])
FRAMES = TEST + SUBMIT + TEST
PROTOCOLS = ["cmpp", "sgip", "smgp", "smpp"]


def ascii_of(octets: bytes) -> str:
    return "".join(chr(each) if 32 <= each < 127 else "." for each in octets)


def rows(octets: bytes) -> list[tuple[int, bytes]]:
    return [(at, octets[at : at + 16]) for at in range(0, len(octets), 16)]


def grouped(octets: bytes, size: int) -> str:
    return " ".join(octets[at : at + size].hex() for at in range(0, len(octets), size))


def xxd(octets: bytes) -> str:
    return "\n".join(f"{at:08x}: {grouped(row, 2):39}  {ascii_of(row)}" for at, row in rows(octets))


def hexdump(octets: bytes) -> str:
    lines = [
        f"{at:08x}  {grouped(row[:8], 1):23}  {grouped(row[8:], 1):23}  |{ascii_of(row)}|"
        for at, row in rows(octets)
    ]
    return "\n".join([*lines, f"{len(octets):08x}"])


def wireshark(octets: bytes) -> str:
    return "\n".join(
        f"{at:04x}   {grouped(row, 1):47}   {ascii_of(row)}" for at, row in rows(octets)
    )


def older_wireshark(octets: bytes) -> str:
    return "\n".join(
        f"{at:04x}  {grouped(row[:8], 1):23}  {grouped(row[8:], 1):23}   {ascii_of(row)}"
        for at, row in rows(octets)
    )


def tcpdump(octets: bytes) -> str:
    return "\n".join(
        f"\t0x{at:04x}:  {grouped(row, 2):39}  {ascii_of(row)}" for at, row in rows(octets)
    )


def od(octets: bytes) -> str:
    return "\n".join(f"{at:06x} {grouped(row, 1)}" for at, row in rows(octets))


def wrapped(octets: bytes) -> str:
    return "\n".join(octets[at : at + 30].hex() for at in range(0, len(octets), 30))


def c_array(octets: bytes) -> str:
    return "{" + ", ".join(f"0x{each:02X}" for each in octets) + "};"


def escaped(octets: bytes) -> str:
    return '"' + "".join(f"\\x{each:02x}" for each in octets) + '"'


FORMS: list[Callable[[bytes], str]] = [
    bytes.hex, xxd, hexdump, wireshark, older_wireshark, tcpdump, od, wrapped, c_array, escaped,
    lambda octets: octets.hex(" "), lambda octets: octets.hex(":"), lambda octets: octets.hex("-"),
    lambda octets: octets.hex(" ", 2), lambda octets: octets.hex(" ", 4),
    lambda octets: "0x" + octets.hex().upper(),
    lambda octets: "\n".join(octets.hex(" ").split()),
    lambda octets: xxd(octets).replace("\n", "\r\n"),
]  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_form(protocol: str, form: Callable[[bytes], str]) -> None:
    for frame in seeds(protocol):
        assert [each.octets for each in pieces(form(frame))] == [frame]
    several = seeds(protocol)[:5]
    assert [each.octets for each in pieces(form(b"".join(several)))] == several


@given(octets=st.binary(min_size=1, max_size=100))
def test_characters_beside_the_octets_are_no_octets(octets: bytes) -> None:
    frame = (8 + len(octets)).to_bytes(4, "big") + b"\0\0\0\x04" + octets
    for form in (xxd, hexdump, wireshark, tcpdump):
        (found,) = pieces(form(frame))
        assert found.octets[: len(frame) // 16 * 16] == frame[: len(frame) // 16 * 16]


@given(text=st.text(st.sampled_from("0123456789abcxX:. |\n\t-zé")))
def test_any_text(text: str) -> None:
    for each in pieces(text):
        assert each.octets or each.fault
    for shown in describe_all("cmpp", "3.0", text):
        assert ("error" in shown) == ("offset" in shown)


def packet(octets: bytes, sequence: int, source: int, ethernet: bool = True) -> bytes:
    ports = source.to_bytes(2, "big") + (7890 - source + 40000).to_bytes(2, "big")
    tcp = ports + sequence.to_bytes(4, "big") + bytes(4) + b"\x80\x18\x01\xf5" + bytes(16)
    total = (20 + len(tcp) + len(octets)).to_bytes(2, "big")
    ip = b"\x45\0" + total + bytes(4) + b"\x40\x06\0\0" + b"\x7f\0\0\x01" * 2
    head = bytes(12) + b"\x08\0" if ethernet else b""
    return head + ip + tcp + octets


def captured(packets: list[bytes]) -> str:
    head = "16:02:11.734 IP 10.0.0.1.40000 > 10.0.0.2.7890: Flags [P.], length 64"
    return "\n".join(f"{head}\n{tcpdump(each)}" for each in packets)


@pytest.mark.parametrize("ethernet", [True, False])
def test_packets_lose_their_heads_and_are_joined_by_direction(ethernet: bool) -> None:
    parts = [
        packet(b"", 1, 7890, ethernet),
        packet(FRAMES[:50], 1, 7890, ethernet),
        packet(TEST[:5], 900, 40000, ethernet),
        packet(FRAMES[:50], 1, 7890, ethernet),
        packet(FRAMES[50:], 51, 7890, ethernet),
        packet(TEST[5:], 905, 40000, ethernet),
    ]
    found = [each.octets for each in pieces(captured(parts))]
    assert found == [TEST, SUBMIT, TEST, TEST]


def test_a_capture_that_begins_inside_a_frame() -> None:
    parts = [packet(SUBMIT[90:], 1, 7890), packet(TEST, 1000, 7890)]
    assert [each.octets for each in pieces(captured(parts))] == [SUBMIT[90:], TEST]


def test_a_packet_as_one_line_of_hex() -> None:
    assert [each.octets for each in pieces(packet(TEST, 1, 7890).hex())] == [TEST]


def test_what_a_capture_lacks_is_told() -> None:
    text = captured([packet(TEST + SUBMIT[:40], 1, 7890)])
    good, bad = describe_all("cmpp", "3.0", text)
    assert good["name"] == "CMPP_ACTIVE_TEST"
    assert (bad["offset"], bad["at"]) == (0, 12)
    assert "frame has 40 octets" in bad["error"]


def test_lines_stand_for_themselves_where_one_is_broken() -> None:
    text = "\n".join([TEST.hex(), SUBMIT[:40].hex(), TEST.hex(), "zz", TEST.hex()])
    found = describe_all("cmpp", "3.0", text)
    assert [each.get("name") for each in found] == [
        "CMPP_ACTIVE_TEST", None, "CMPP_ACTIVE_TEST", None, "CMPP_ACTIVE_TEST",
    ]  # fmt: skip
    assert found[3] == {"error": "not a hexadecimal digit: 'z'", "offset": 0}


def test_words_of_a_command_line() -> None:
    words = SUBMIT.hex(" ").split()
    assert [each.octets for each in pieces("\n".join(words))] == [SUBMIT]


def test_an_unfinished_dump() -> None:
    text = re.sub(r"\n[^\n]*$", "", xxd(SUBMIT))
    (only,) = describe_all("cmpp", "3.0", text)
    assert "error" in only
    assert only["offset"] == 0

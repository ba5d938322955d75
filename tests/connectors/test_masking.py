"""What a trace shows holds no octet of a content, no whole number and no secret."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import fields as fields_of
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.fields import Codec, Counted, Octets, Raw, Repeated
from connectors.masking import masked_number
from connectors.pdu_view import VIEWS
from connectors.smpp.fields import Address, CString, Destinations, Failures, Unsuccessful
from connectors.tlv import Rest, Tlv, Tlvs
from connectors.trace import MOST_OCTETS, Trace, Way
from connectors.trace_view import shown
from tests.connectors.fuzzing import VERSIONS, seeds
from tests.connectors.vectors import named

HARMLESS = {
    "Msg_Id", "MsgID", "message_id", "SequenceNumber", "SubmitSequenceNumber",
    "ValId_Time", "At_Time", "Time", "ValidTime", "AtTime", "RecvTime", "QueryTime",
    "ExpireTime", "ScheduleTime", "schedule_delivery_time", "validity_period", "final_date",
    "Source_Addr", "ClientID", "LoginName", "system_id", "system_type", "service_type",
    "Service_Id", "ServiceID", "ServiceType", "Msg_src", "CorpId", "FeeType", "FeeCode",
    "FixedFee", "FeeValue", "GivenValue", "Query_Code", "QueryCode",
}  # fmt: skip
"""Neither contents, nor numbers, nor secrets; all other texts and octets are."""

# Nothing that a trace writes for itself has four of these together.
SECRET = st.text("qjxz^~|", min_size=4, max_size=40).map(str.encode) | st.binary(
    min_size=4, max_size=40
).map(lambda octets: bytes(0xE0 | each & 0x1F for each in octets))
NUMBER = st.text("123456789", min_size=7, max_size=20).map(str.encode)


def sensitive(codec: Codec[Any]) -> Iterator[tuple[str, Any]]:
    for attr, spec in codec.layout:
        if attr and spec.name not in HARMLESS:
            yield attr, spec


def filled(codec: Codec[Any], secret: bytes, number: bytes) -> Any:
    """A PDU with the secret, or the number, wherever something sensitive stands."""
    values: dict[str, Any] = {
        attr: b"1" for attr, spec in codec.layout if isinstance(spec, CString) and spec.optional
    }
    for attr, spec in sensitive(codec):
        match spec:
            case Octets() if "erm" in spec.name or "umber" in spec.name or spec.octets == 21:
                values[attr] = number[: spec.octets]
            case Octets():
                values[attr] = secret[: spec.octets]
            case CString():
                values[attr] = (number if "addr" in spec.name else secret)[: spec.width - 1]
            case Raw():
                values[attr] = secret.ljust(spec.octets, b"\xe7")[: spec.octets]
            case Counted():
                values[attr] = secret
            case Repeated():
                values[attr] = (number[: spec.octets], number[: spec.octets])
            case Destinations():
                values[attr] = (Address(number),)
            case Failures():
                values[attr] = (Unsuccessful(number, 0, 0, 0),)
            case Tlvs():
                tags = (0x0003, 0x0006, 0x0009, 0x000E, 0x001E, 0x0381, 0x0424, 0x1403)
                values[attr] = tuple(Tlv(tag, secret.ljust(8, b"\xe7")) for tag in tags)
            case Rest():
                values[attr] = b"\xff\xe1\xf2"
    return codec.pdu(**values)


def told(protocol: str, version: str, *frames: bytes) -> str:
    trace = Trace(10)
    tap = trace.tap("link-1")
    for frame in frames:
        tap.received(frame)
    return json.dumps(
        [(each.name, dict(each.fields), each.fault) for each in shown(trace, protocol, version)],
        ensure_ascii=False,
    )


def assert_hidden(text: str, octets: bytes, window: int = 4) -> None:
    for at in range(len(octets) - window + 1):
        part = octets[at : at + window]
        assert part.hex() not in text
        assert str(int.from_bytes(part, "big")) not in text
        for charset in ("utf-8", "latin-1", "gb18030", "utf-16-be"):
            read = part.decode(charset, "ignore").strip("\0")
            assert len(read) < 2 or read not in text


@pytest.mark.parametrize(("protocol", "version"), VERSIONS)
@settings(max_examples=12, deadline=None)
@given(secret=SECRET, number=NUMBER)
def test_every_pdu_of_every_protocol(
    protocol: str, version: str, secret: bytes, number: bytes
) -> None:
    for codec in VIEWS[protocol][version].codecs.by_command.values():
        pdu = filled(codec, secret, number)
        frame = codec.encode(pdu)
        text = told(protocol, version, frame)
        assert codec.pdu.title in text
        assert text.endswith('}, ""]]'), "it can be read"
        assert number.decode() not in text
        assert_hidden(text, secret)


@pytest.mark.parametrize(("protocol", "version"), VERSIONS)
@settings(max_examples=12, deadline=None)
@given(data=st.data(), secret=SECRET, number=NUMBER)
def test_frames_that_cannot_be_read(
    protocol: str, version: str, data: st.DataObject, secret: bytes, number: bytes
) -> None:
    codecs = list(VIEWS[protocol][version].codecs.by_command.values())
    codec = data.draw(st.sampled_from(codecs))
    frame = codec.encode(filled(codec, secret, number))
    header = 20 if protocol == "sgip" else 16
    cut = data.draw(st.integers(min(header, len(frame)), len(frame)))
    broken = frame[:cut] + data.draw(st.sampled_from([b"", b"\0", b"\xff" * 5]))
    text = told(protocol, version, len(broken).to_bytes(4, "big") + broken[4:])
    assert number.decode() not in text
    assert_hidden(text, secret)


@pytest.mark.parametrize("protocol", VIEWS)
def test_the_frames_of_the_vectors(protocol: str) -> None:
    version = next(iter(VIEWS[protocol]))
    text = told(protocol, version, *seeds(protocol)[:10])
    for number in ("13800138000", "13900139000", "18612345678"):
        assert number not in text
    for part in ("您", "your", "Your", "secret", "smgpass"):
        assert part not in text


def test_what_an_engineer_looks_for_is_there() -> None:
    trace = Trace(10)
    tap = trace.tap("cmpp-1")
    tap.noted(Way.OPENED)
    tap.sent(bytes.fromhex(named("cmpp3_submit_ucs2_short")["hex"]))
    entries = shown(trace, "cmpp", "2.0")  # the version that answers may be another
    opened, submit = entries
    assert (opened.way, opened.name, opened.octets) == (Way.OPENED, "", 0)
    assert (submit.link, submit.way, submit.name) == ("cmpp-1", Way.SENT, "CMPP_SUBMIT")
    assert submit.fields["Dest_terminal_Id"] == ["135****2696"]
    assert submit.fields["Msg_Content"] == "****"
    assert submit.fields["Msg_Length"] > 0
    assert submit.fields["Sequence_Id"] > 0


@pytest.mark.parametrize(
    ("protocol", "version", "vector"),
    [
        ("cmpp", "2.0", "cmpp2_deliver_report_delivrd"),
        ("smgp", "3.0", "smgp_deliver_report_delivrd_122"),
    ],
)
def test_a_report_shows_what_it_reports(protocol: str, version: str, vector: str) -> None:
    trace = Trace(1)
    trace.tap("x").received(bytes.fromhex(named(vector)["hex"]))
    report = shown(trace, protocol, version)[0].fields["report"]
    assert "DELIVRD" in report.values()
    assert "13800138000" not in str(report)


def test_a_text_that_calls_itself_a_report_shows_nothing() -> None:
    codec = next(
        codec for codec in VIEWS["cmpp"]["2.0"].codecs.by_command.values()
        if codec.pdu.title == "CMPP_DELIVER"
    )  # fmt: skip
    pdu = codec.pdu(registered_delivery=1, msg_content=b"qjxz^~|qjxz^~|" * 5)
    text = told("cmpp", "2.0", codec.encode(pdu))
    assert_hidden(text, b"qjxz^~|")


def test_a_number_where_none_belongs_is_masked_too() -> None:
    codec = next(
        codec for codec in VIEWS["smpp"]["3.4"].codecs.by_command.values()
        if codec.pdu.title == "bind_transceiver"
    )  # fmt: skip
    frame = codec.encode(codec.pdu(system_id=b"8613800138000", password=b"qjxz^~"))
    text = told("smpp", "3.4", frame)
    assert '"system_id": "86138****8000"' in text
    assert '"password": "****"' in text


def test_the_ring_is_bounded() -> None:
    trace = Trace(3)
    tap = trace.tap("x")
    for number in range(5):
        tap.received(bytes(MOST_OCTETS + number))
    kept = trace.kept()
    assert [each.size for each in kept] == [MOST_OCTETS + n for n in (2, 3, 4)]
    assert all(len(each.octets) == MOST_OCTETS for each in kept)
    assert "longer than the 4096 octets" in shown(trace, "cmpp", "3.0")[-1].fault


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        ("13800138000", "138****8000"),
        ("8613800138000", "86138****8000"),
        ("008613800138000", "008613****8000"),
        ("900001", "****"),
        ("", "****"),
    ],
)
def test_numbers(number: str, expected: str) -> None:
    assert masked_number(number) == expected


def test_no_sensitive_field_is_open() -> None:
    for protocol, version in VERSIONS:
        view = VIEWS[protocol][version]
        commands = {name for name in view.plain if name.lower().replace("_", "").startswith("comm")}
        assert view.plain | view.open <= HARMLESS | commands | {"RequestID"}


def test_entries_hold_no_other_fields() -> None:
    trace = Trace(1)
    trace.tap("x").noted(Way.CLOSED, "closed by the peer")
    (entry,) = shown(trace)
    assert [each.name for each in fields_of(entry)] == [
        "at", "link", "way", "octets", "name", "fields", "fault",
    ]  # fmt: skip
    assert (entry.name, entry.fields) == ("closed by the peer", {})

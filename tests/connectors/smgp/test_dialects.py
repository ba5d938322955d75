"""What the two sides make of frames, without a network: versions, variants, junk."""

from __future__ import annotations

from datetime import datetime
from hashlib import md5
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from connectors import dialect as events
from connectors.clock import BEIJING
from connectors.dialect import Delivered, LoggedIn, LoginRefused, Unknown
from connectors.errors import DecodeError, EncodeError
from connectors.server_dialect import Entry, Login, Text
from connectors.settings import LinkSettings, ServerSettings
from connectors.smgp.auth import client_digest
from connectors.smgp.client import SmgpClient
from connectors.smgp.pdus import CODECS, LoginResp, Submit, Tag, number
from connectors.smgp.pdus import Login as LoginPDU
from connectors.smgp.server import SmgpServer
from connectors.smgp.settings import SmgpSettings
from connectors.values import Coding, Inbound, Report
from connectors.values import Submit as Segment
from tests.connectors.drawing import damaged
from tests.connectors.recorder import settings
from tests.connectors.vectors import frames, named

SEGMENT = Segment("1069", "18912345678", b"x", Coding.ASCII, False, 1, 1, True, 1)


def client(**changes: Any) -> SmgpClient:
    return SmgpClient(settings(1, **({"protocol": "smgp", "version": "3.0"} | changes)))


def read(dialect: SmgpClient | SmgpServer, frame: bytes) -> Any:
    return dialect.read(int.from_bytes(frame[4:8], "big"), frame)


def frame_of(name: str) -> bytes:
    return bytes.fromhex(named(name)["hex"])


def test_the_login_is_the_vectors_but_for_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.smgp.client.timestamp", lambda: 301000000)
    dialect = client(account="12345678", password="hospsecret")
    assert dialect.login(1) == frame_of("smgp_login")
    assert read(dialect, frame_of("smgp_login_resp_ok")) == LoggedIn()


@pytest.mark.parametrize(("status", "lasting"), [(21, True), (22, True), (20, True), (1, False),
                                                 (2, False), (200, False)])  # fmt: skip
def test_refusals(status: int, lasting: bool) -> None:
    event = read(client(), CODECS["3.0"].encode(LoginResp(1, status)))
    assert isinstance(event, LoginRefused)
    assert event.lasting is lasting
    assert f"({status})" in event.reason


def test_a_gateway_that_hashes_the_status_as_digits_is_believed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    dialect = client(account="12345678", password="hospsecret")
    login = CODECS["3.0"].decode(dialect.login(1))
    digest = md5(b"0" + login.authenticator_client + b"hospsecret").digest()
    assert read(dialect, CODECS["3.0"].encode(LoginResp(1, 0, digest))) == LoggedIn()
    assert not caplog.records
    assert read(dialect, CODECS["3.0"].encode(LoginResp(1, 0, bytes(16)))) == LoggedIn()
    assert "authenticator" in caplog.text


@pytest.mark.parametrize(
    ("version", "byte", "size"), [("1.3", 0x13, 120), ("2.0", 0x20, 126), ("3.0", 0x30, 126)]
)
def test_versions_have_their_layouts(version: str, byte: int, size: int) -> None:
    dialect = client(version=version)
    assert dialect.login(1)[-1] == byte
    assert len(dialect.submit(2, SEGMENT)) == size + 21 + 1


def test_the_version_byte_may_be_another() -> None:
    assert client(own=SmgpSettings(version_byte=0x31)).login(1)[-1] == 0x31


@pytest.mark.parametrize(
    ("follow", "answered", "size"),
    [(True, 0x13, 120), (True, 0x20, 126), (True, 0x30, 126), (False, 0x13, 126)],
)
def test_a_lower_version_is_taken_where_configured(follow: bool, answered: int, size: int) -> None:
    dialect = client(own=SmgpSettings(follow_server=follow))
    dialect.login(1)
    response = LoginResp(1, 0, server_version=answered)
    assert read(dialect, CODECS["3.0"].encode(response)) == LoggedIn()
    assert len(dialect.submit(2, SEGMENT)) == size + 21 + 1


def test_a_value_that_does_not_fit_its_field_is_named() -> None:
    with pytest.raises(EncodeError) as caught:
        client().submit(1, structs.replace(SEGMENT, source="1" * 22))
    assert caught.value.field == "SrcTermID"


@pytest.mark.parametrize(
    ("name", "msg_id", "stat"),
    [
        ("smgp_deliver_report_delivrd_122", "01006101161700012345", "DELIVRD"),
        (
            "smgp_deliver_report_undeliv_capitalised_labels",
            "01006101161700012346",
            "UNDELIV:005",
        ),
        ("smgp_deliver_report_field_body_underscores", "6495c36ac4ea6b00000b", "DELIVRD"),
        ("smgp_deliver_report_field_body_s_separator", "05701305301550567501", "DELIVRD"),
    ],
)
def test_reports_of_the_vectors(name: str, msg_id: str, stat: str) -> None:
    event = read(client(), frame_of(name))
    assert isinstance(event, Delivered)
    assert isinstance(event.item, Report)
    assert (event.item.id, event.item.stat) == (msg_id, stat)
    assert (event.item.source, event.item.destination) == ("106591234501", "18912345678")
    deliver = CODECS["3.0"].decode(frame_of(name))
    response = CODECS["3.0"].decode(event.response)
    assert (response.msg_id, response.status) == (deliver.msg_id, 0)
    assert response.sequence_id == deliver.sequence_id


def test_the_response_is_the_vectors() -> None:
    event = read(client(), frame_of("smgp_deliver_report_delivrd_122"))
    assert event.response == frame_of("smgp_deliver_resp_ok")


def test_the_inbound_text_of_the_vector() -> None:
    item = read(client(), frame_of("smgp_deliver_mo_gb18030")).item
    assert isinstance(item, Inbound)
    assert (item.text, item.source, item.destination) == ("取消", "18912345678", "10659123450117")


def test_a_heartbeat_answered_with_a_body_is_an_answer() -> None:
    assert read(client(), bytes.fromhex("0000000d800000040000001400")) == events.TestAnswered()


@pytest.mark.parametrize("command", [0x00000005, 0x80000007, 0xFFFFFFFF])
def test_commands_of_gateways_alone_are_unknown(command: int) -> None:
    frame = b"\0\0\0\x0c" + command.to_bytes(4, "big") + bytes(4)
    assert read(client(), frame) == Unknown(command)
    assert read(SmgpServer(ServerSettings("smgp")), frame) == Unknown(command)


def login_frame(secret: bytes, byte: int, *, padded: bool = False) -> bytes:
    digest = client_digest(b"106590", secret, 1231235959, padded=padded)
    return CODECS["3.0"].encode(LoginPDU(2, b"106590", digest, 2, 1231235959, byte))


@pytest.mark.parametrize(
    ("versions", "byte", "secret", "entry", "status"),
    [
        ((), 0x30, b"hs", Entry.OK, 0),
        ((), 0x13, b"hs", Entry.OK, 0),
        ((), 0x31, b"hs", Entry.OK, 0),
        ((), 0x32, b"hs", Entry.BAD_VERSION, 22),
        (("3.0",), 0x13, b"hs", Entry.OK, 0),
        (("2.0", "3.0"), 0x13, b"hs", Entry.BAD_VERSION, 22),
        ((), 0x30, b"no", Entry.BAD_SECRET, 21),
        ((), 0x30, None, Entry.BAD_ACCOUNT, 21),
    ],
)
@pytest.mark.parametrize("padded", [False, True])
def test_logins_at_the_server(
    versions: tuple[str, ...], byte: int, secret: bytes | None, entry: Entry, status: int,
    padded: bool,
) -> None:  # fmt: skip
    server = SmgpServer(ServerSettings("smgp", versions=versions))
    login = read(server, login_frame(b"hs", byte, padded=padded))
    assert isinstance(login, Login)
    assert login.account == "106590"
    assert login.receives
    assert server.check(login, secret) is entry
    answer = CODECS["3.0"].decode(server.admit(login, entry, secret or b""))
    assert answer.status == server.status(entry) == status


def test_a_text_tells_when_the_gateway_took_it_in_beijings_time() -> None:
    before = datetime.now(BEIJING).replace(microsecond=0)
    text = Text("18912345678", "10659", b"x", Coding.ASCII, udh=False)
    deliver = CODECS["3.0"].decode(SmgpServer(ServerSettings("smgp")).deliver(1, "", text))
    told = datetime.strptime(deliver.recv_time.decode() + "+0800", "%Y%m%d%H%M%S%z")
    assert before <= told <= datetime.now(BEIJING)


def test_zero_parts_of_zero_are_one_of_one() -> None:
    tlvs = (number(Tag.PK_TOTAL, 0), number(Tag.PK_NUMBER, 0))
    frame = CODECS["3.0"].encode(Submit(1, msg_content=b"x", tlvs=tlvs))
    submit = read(SmgpServer(ServerSettings("smgp")), frame)
    assert (submit.total, submit.number) == (1, 1)


def test_the_accounts_version_decides_the_layout_not_the_clients_byte() -> None:
    server = SmgpServer(ServerSettings("smgp", versions=("1.3",)))
    read(server, login_frame(b"hs", 0x30))
    submit = read(server, frame_of("smgp13_submit_field_capture_unknown_tlv"))
    assert submit.text == "dfa8eb6a-ad9f-4654-94fa-f114718ed05a"
    assert (submit.source, submit.destinations) == ("10086", ["13800138000"])
    assert (submit.total, submit.number, submit.udh) == (1, 1, False)


def test_a_group_submit_names_every_recipient() -> None:
    frame = CODECS["3.0"].encode(Submit(dest_term_id=(b"18912345678", b"18912345679")))
    submit = read(SmgpServer(ServerSettings("smgp")), frame)
    assert submit.destinations == ["18912345678", "18912345679"]


@given(damaged(frames("SMGP")), st.sampled_from(["1.3", "3.0"]))
def test_damage_is_a_decode_error_on_both_sides(broken: bytes, version: str) -> None:
    made = LinkSettings("smgp", version, "127.0.0.1", 1, "a", "b")
    for dialect in (SmgpClient(made), SmgpServer(ServerSettings("smgp", versions=(version,)))):
        try:
            dialect.read(int.from_bytes(broken[4:8], "big"), broken)
        except DecodeError:
            continue

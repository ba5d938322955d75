"""What each side makes of frames, without a network: answers, errors, junk."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from msgspec import structs

from connectors.dialect import (
    Declined,
    Delivered,
    Leaving,
    LoggedIn,
    LoginRefused,
    SubmitAnswered,
    Unknown,
)
from connectors.errors import DecodeError, EncodeError
from connectors.listener_dialect import Refusal
from connectors.server_dialect import Accepted, Acknowledged, Entry, Login, Receipt, Submitted
from connectors.settings import ServerSettings
from connectors.sgip.client import SgipClient
from connectors.sgip.listener import SgipListener
from connectors.sgip.pdus import CODECS, Bind, BindResp, Submit, SubmitResp, UnbindResp
from connectors.sgip.server import SgipCaller, SgipServer
from connectors.sgip.settings import GatewaySettings, SgipSettings
from connectors.values import Action, Answer, Coding, Inbound, Report
from connectors.values import Submit as Segment
from tests.connectors.drawing import damaged
from tests.connectors.recorder import settings
from tests.connectors.vectors import frames, named

V = CODECS["1.2"]
OWN = SgipSettings(corp="12345", node=3010012345)
SEGMENT = Segment("1069", "13012345678", b"x", Coding.ASCII, False, 1, 1, True, 1)
SERVER = ServerSettings("sgip", own=GatewaySettings(account="smgcli", password="smgpass"))


def client(**changes: Any) -> SgipClient:
    values = {"protocol": "sgip", "version": "1.2", "own": OWN} | changes
    return SgipClient(settings(1, **values))


def read(dialect: Any, frame: bytes) -> Any:
    return dialect.read(int.from_bytes(frame[4:8], "big"), frame)


def frame_of(name: str) -> bytes:
    return bytes.fromhex(named(name)["hex"])


def test_a_login_carries_account_and_password() -> None:
    bind = V.decode(client(account="hosp01", password="pass1234").login(1))
    vector = V.decode(frame_of("sgip_bind_sp_to_smg"))
    vector.sequence_number = bind.sequence_number
    assert bind == vector


@pytest.mark.parametrize(
    ("result", "lasting"), [(1, True), (4, True), (34, True), (3, False), (11, False)]
)
def test_refused_logins(result: int, lasting: bool) -> None:
    event = read(client(), V.encode(BindResp(result=result)))
    assert isinstance(event, LoginRefused)
    assert event.lasting is lasting
    assert read(client(), frame_of("sgip_bind_resp_ok")) == LoggedIn()


def test_a_submit_is_the_vectors() -> None:
    vector = V.decode(frame_of("sgip_submit_gbk_short"))
    segment = Segment(
        "1065501234", "13012345678", vector.message_content, Coding.GB, False, 1, 1, True, 1
    )
    made = V.decode(client(service_id="HOSP").submit(2, segment))
    made.sequence_number = vector.sequence_number
    assert made == vector


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        ("13012345678", b"8613012345678"),
        ("8613012345678", b"8613012345678"),
        ("+8613012345678", b"8613012345678"),
        ("10010", b"10010"),
    ],
)
def test_recipients_have_their_country(number: str, expected: bytes) -> None:
    pdu = V.decode(client().submit(1, structs.replace(SEGMENT, destination=number)))
    assert pdu.user_number == (expected,)


def test_the_answer_finds_its_submit_and_names_its_id() -> None:
    dialect = client(number=3)
    numbers = [V.decode(dialect.submit(k, SEGMENT)).sequence_number for k in (7, 8)]
    for k, number in zip((7, 8), numbers):
        event = read(dialect, V.encode(SubmitResp(number)))
        assert event == SubmitAnswered(k, Answer(True, number.hex(), "0", Action.NONE))
    stranger = read(dialect, frame_of("sgip_submit_resp_node_busy"))
    assert isinstance(stranger.sequence, bytes)
    assert stranger.answer.action is Action.THROTTLE


def test_without_a_report_none_is_asked_for() -> None:
    assert V.decode(client().submit(1, structs.replace(SEGMENT, report=False))).report_flag == 2


def test_the_node_id_follows_from_the_enterprise_code() -> None:
    assert SgipSettings(corp="12345").node_id == 3000012345
    assert OWN.node_id == 3010012345
    assert SgipSettings().node_id == 0
    with pytest.raises(ValueError, match="corp"):
        SgipSettings(corp="123456")


def test_a_value_that_does_not_fit_is_named() -> None:
    with pytest.raises(EncodeError) as caught:
        client().submit(1, structs.replace(SEGMENT, source="1" * 22))
    assert caught.value.field == "SPNumber"


@pytest.mark.parametrize("dialect", [client(), SgipListener()], ids=["client", "listener"])
class TestIncoming:
    """What a gateway sends is read alike on both connections."""

    def test_a_report(self, dialect: Any) -> None:
        event = read(dialect, frame_of("sgip_report_success"))
        assert isinstance(event, Delivered)
        assert isinstance(event.item, Report)
        submit = V.decode(frame_of("sgip_submit_gbk_short"))
        assert event.item.id == submit.sequence_number.hex()
        assert (event.item.stat, event.item.destination) == ("DELIVRD", "8613012345678")
        assert event.response == frame_of("sgip_report_resp_ok")

    def test_a_report_that_is_not_final(self, dialect: Any) -> None:
        item = read(dialect, frame_of("sgip_report_waiting")).item
        assert (item.stat, item.delivered, item.final) == ("ENROUTE", False, False)

    def test_a_text(self, dialect: Any) -> None:
        event = read(dialect, frame_of("sgip_deliver_mo_ucs2"))
        assert isinstance(event.item, Inbound)
        assert (event.item.text, event.item.destination) == ("取消", "10655012340117")
        assert event.response == frame_of("sgip_deliver_resp_ok")

    def test_a_users_state(self, dialect: Any) -> None:
        event = read(dialect, frame_of("sgip_userrpt"))
        assert event == Declined(frame_of("sgip_userrpt_resp"))

    def test_leave_taken(self, dialect: Any) -> None:
        assert read(dialect, frame_of("sgip_unbind")) == Leaving(frame_of("sgip_unbind_resp"))

    @pytest.mark.parametrize(
        ("name", "result"), [("sgip_submit_gbk_short", 7), ("sgip_bind_smg_to_sp", 2)]
    )
    def test_a_command_out_of_place_is_answered_with_an_error(
        self, dialect: Any, name: str, result: int
    ) -> None:
        event = read(dialect, frame_of(name))
        assert isinstance(event, Declined)
        answer = V.decode(event.response)
        assert answer.result == result
        assert answer.sequence_number == V.decode(frame_of(name)).sequence_number

    def test_a_trace_has_no_stations(self, dialect: Any) -> None:
        assert V.decode(read(dialect, frame_of("sgip_trace")).response).nodes == ()

    @pytest.mark.parametrize("command", [0x00000006, 0x80000004, 0x80000005])
    def test_other_commands_are_unknown(self, dialect: Any, command: int) -> None:
        frame = b"\0\0\0\x14" + command.to_bytes(4, "big") + bytes(12)
        assert read(dialect, frame) == Unknown(command)


@pytest.mark.parametrize(
    ("login_type", "account", "password", "refusal", "result"),
    [
        (2, "smgcli", "smgpass", Refusal.NONE, 0),
        (1, "smgcli", "smgpass", Refusal.NONE, 0),
        (2, "smgcli", "wrong", Refusal.BAD_LOGIN, 1),
        (2, "other", "smgpass", Refusal.BAD_LOGIN, 1),
        (2, "", "", Refusal.BAD_LOGIN, 1),
        (3, "smgcli", "smgpass", Refusal.BAD_TYPE, 4),
    ],
)
def test_logins_at_the_listener(
    login_type: int, account: str, password: str, refusal: Refusal, result: int
) -> None:
    listener = SgipListener()
    frame = V.encode(Bind(bytes(12), login_type, account.encode(), password.encode()))
    arrival = listener.arrival(frame)
    assert arrival.account == account
    assert listener.check(arrival, "smgcli", b"smgpass") is refusal
    assert V.decode(listener.admit(arrival, refusal)).result == result


@pytest.mark.parametrize(
    ("login_type", "secret", "entry", "status"),
    [
        (1, b"pass1234", Entry.OK, 0),
        (1, b"other", Entry.BAD_SECRET, 1),
        (1, None, Entry.BAD_ACCOUNT, 1),
        (2, b"pass1234", Entry.BAD_VERSION, 4),
    ],
)
def test_logins_at_the_gateway(
    login_type: int, secret: bytes | None, entry: Entry, status: int
) -> None:
    server = SgipServer(SERVER)
    login = read(server, V.encode(Bind(bytes(12), login_type, b"hosp01", b"pass1234")))
    assert isinstance(login, Login)
    assert (login.account, login.receives) == ("hosp01", False)
    assert server.check(login, secret) is entry
    assert V.decode(server.admit(login, entry, b"")).result == server.status(entry) == status


def test_a_gateway_takes_node_zero_and_groups() -> None:
    server = SgipServer(SERVER)
    submit = read(server, frame_of("sgip_submit_field_capture"))
    assert isinstance(submit, Submitted)
    assert (submit.text, submit.source) == ("233a", "106559125028")
    assert V.decode(server.answer(submit, "", 0)).sequence_number == submit.sequence
    group = read(server, V.encode(Submit(user_number=(b"8613012345678", b"8613012345679"))))
    assert group.destinations == ["8613012345678", "8613012345679"]


def test_a_caller_logs_in_and_matches_answers() -> None:
    caller = SgipCaller(SERVER)
    bind = V.decode(caller.greeting(1))
    assert (bind.login_type, bind.login_name, bind.login_password) == (2, b"smgcli", b"smgpass")
    assert read(caller, V.encode(BindResp(bind.sequence_number))) == Accepted()
    assert isinstance(read(caller, V.encode(BindResp(bind.sequence_number, 1))), LoginRefused)
    receipt = Receipt("00" * 12, "DELIVRD", "1065", "8613012345678", "", "")
    report = V.decode(caller.deliver(5, "", receipt))
    listener = SgipListener()
    response = read(listener, V.encode(report)).response
    assert read(caller, response) == Acknowledged(5, 0)
    assert read(caller, frame_of("sgip_report_resp_ok")) == Acknowledged(-1, 0)
    assert isinstance(read(caller, V.encode(UnbindResp())), object)


@given(damaged(frames("SGIP")))
def test_damage_is_a_decode_error_on_every_side(broken: bytes) -> None:
    sides: list[Any] = [client(), SgipListener(), SgipServer(SERVER), SgipCaller(SERVER)]
    for dialect in sides:
        try:
            dialect.read(int.from_bytes(broken[4:8], "big"), broken)
        except DecodeError:
            continue
    try:
        SgipListener().arrival(broken)
    except DecodeError:
        return

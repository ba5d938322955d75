"""Requests answered together get, octet for octet, the answers that each would get alone."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from io import BytesIO
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapter.config.model import Web
from adapter.contract import NS
from adapter.domain.client import Client
from adapter.domain.errors import Code, Refusal, StoreUnavailable
from adapter.domain.proofs import Proof
from adapter.domain.values import Reply, Request, Result
from adapter.doors.batches import Answer, Batched, Glimpse
from adapter.doors.mounts import doors
from adapter.doors.service import Exchange
from adapter.doors.soap import SoapDoor
from tests.doors.conftest import SOAP11, SOAP12, WSSE, envelope, send


class House:
    """Accounts and intake whose answers follow from what they are asked alone."""

    def __init__(self) -> None:
        self.calls: list[int] = []
        self.away = False

    def find(self, account: str) -> Client | None:
        return Client(account) if account in ("his", "lis") else None

    def authenticate(
        self, account: str, password: str, address: str, door: str, proofs: Sequence[Proof] = ()
    ) -> Client:
        client = self.find(account)
        if client is None or password != "right":
            raise Refusal(Code.AUTH_FAILED, "account or password is wrong")
        return client

    def accept(self, client: Client, requests: Sequence[Request]) -> list[Reply]:
        self.calls.append(len(requests))
        if self.away:
            raise StoreUnavailable
        return [_judged(client, request) for request in requests]

    def offer(self, client: Client, requests: Sequence[Request]) -> Callable[[], list[Reply]]:
        return partial(self.accept, client, requests)


def _judged(client: Client, request: Request) -> Reply:
    if request.content == "refused":
        return Reply(
            Code.BAD_CONTENT, "no", None, 0, 1, retry_after_s=len(request.entries), field="content"
        )
    if request.content == "too many":
        return Reply(Code.BAD_REQUEST, "1 recipient", None, 0, 1, field="recipients")
    results = [
        Result(entry.mobile, entry.ref, None, 0, Code.BAD_NUMBER, "<no> & never")
        if len(entry.mobile) != 11
        else Result(entry.mobile, entry.ref, int(entry.mobile), 1, Code.OK)
        for entry in request.entries
    ]
    refused = sum(each.message_id is None for each in results)
    code = Code.OK if not refused else Code.PARTIAL
    made = hash((client.account, request.content, request.client_ref)) & 0xFFFF
    return Reply(code, "", made, len(results) - refused, refused, results)


HOUSE = House()
EXCHANGE = Exchange(
    HOUSE,
    HOUSE,
    None,  # type: ignore[arg-type]
    timezone=ZoneInfo("Asia/Shanghai"),
    clock=lambda: datetime(2026, 3, 1, tzinfo=ZoneInfo("UTC")),
)
MOUNTS = doors(EXCHANGE, Web())


def environ(path: str, body: bytes, **more: str) -> dict[str, Any]:
    return {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": path,
        "CONTENT_LENGTH": str(len(body)),
        "CONTENT_TYPE": "text/xml; charset=utf-8",
        "REMOTE_ADDR": "10.1.1.1",
        "wsgi.input": BytesIO(body),
        **more,
    }


def alone(door: Batched, asked: dict[str, Any]) -> Answer:
    said: list[Any] = []

    def start(status: str, headers: list[tuple[str, str]], *_: Any) -> Any:
        said.extend((status, headers))

    body = b"".join(door(asked, start))
    return Answer(said[0], body, said[1])


def token(account: str, password: str) -> str:
    return (
        f'<w:Security xmlns:w="{WSSE}"><w:UsernameToken><w:Username>{account}</w:Username>'
        f"<w:Password>{password}</w:Password></w:UsernameToken></w:Security>"
    )


def own_header(account: str, password: str) -> str:
    return (
        f'<Credentials xmlns="{NS}"><account>{account}</account>'
        f"<password>{password}</password></Credentials>"
    )


def _send_batch(content: str) -> str:
    return (
        f'<SendBatch xmlns="{NS}"><request><content>{content}</content><entries><Entry>'
        "<mobile>13800138000</mobile></Entry></entries></request></SendBatch>"
    )


MORE = st.sampled_from(
    [
        "",
        "<clientRef>r-1</clientRef>",
        "<lane>urgent</lane>",
        "<lane>fast</lane>",
        "<colour/>",
        "<receipt>maybe</receipt>",
        "<scheduleAt>2026-03-02T08:00:00</scheduleAt>",
        "<passThrough>&lt;&amp;中</passThrough>",
        "<replace>true</replace>",
        "<content>twice</content>",
        f"<clientRef>{'r' * 65}</clientRef>",
    ]
)
OPERATIONS = st.one_of(
    st.builds(
        send,
        st.sampled_from(["hello", "refused", "too many", "", "您好 &lt;b&gt;", "<b/>"]),
        st.sampled_from(["13800138000", "110", "", "13800138000 "]),
        MORE,
    ),
    st.sampled_from(
        [
            f'<SendBatch xmlns="{NS}"><request><entries><Entry><mobile>13800138000</mobile>'
            "<content>a</content></Entry><Entry><mobile>1</mobile></Entry></entries></request>"
            "</SendBatch>",
            _send_batch("too many"),
            _send_batch("refused"),
            f'<SendBatch xmlns="{NS}"><request/></SendBatch>',
            f'<Ping xmlns="{NS}"/>',
            f'<Send xmlns="{NS}"/>',
            '<Send xmlns="urn:x"><request/></Send>',
            "",
            send() + send(),
            send()[:-3],
        ]
    ),
)
HEADERS = st.builds(
    lambda form, account, password: form(account, password),
    st.sampled_from([own_header, token]),
    st.sampled_from(["his", "lis", "nobody", ""]),
    st.sampled_from(["right", "wrong"]),
) | st.just("")
ENVELOPES = st.builds(
    lambda operation, header, soap, encoding: envelope(operation, header, soap).encode(encoding),
    OPERATIONS,
    HEADERS,
    st.sampled_from([SOAP11, SOAP12, "urn:neither"]),
    st.sampled_from(["utf-8", "gb18030"]),
) | st.sampled_from([b"", b"<a", b"<!DOCTYPE a><a/>", b"\x00"])


@pytest.mark.parametrize("mount", ["/soap", "/soap12"])
def test_soap(mount: str) -> None:
    door = MOUNTS[mount]
    assert isinstance(door, Batched)

    @settings(max_examples=150, deadline=None)
    @given(st.lists(ENVELOPES, min_size=1, max_size=4))
    def compare(bodies: list[bytes]) -> None:
        expected = [alone(door, environ("", body)) for body in bodies]
        assert list(door.several([environ("", body) for body in bodies])) == expected

    compare()


@pytest.mark.parametrize(
    "header",
    [
        own_header("his", "right") + '<x:Route xmlns:x="urn:x" s:mustUnderstand="1"/>',
        '<To xmlns="http://www.w3.org/2005/08/addressing">x</To>' + token("his", "right"),
        f'<Other xmlns="{NS}"/>',
    ],
)
def test_an_envelope_with_another_header_block_goes_through_spyne(header: str) -> None:
    door = SoapDoor(EXCHANGE, "http://x")
    with pytest.raises(LookupError):
        door._glance(environ("", envelope(send(), header).encode()))
    plain = environ("", envelope(send(), own_header("his", "right")).encode())
    assert door._glance(plain)[1].operation == "Send"


BASIC = st.builds(
    lambda account, password: (
        "Basic " + base64.b64encode(f"{account}:{password}".encode()).decode()
    ),
    st.sampled_from(["his", "lis", "nobody"]),
    st.sampled_from(["right", "wrong"]),
) | st.sampled_from(["", "Basic ???", "Bearer x"])
BODIES = st.sampled_from(
    [
        b"",
        b"{",
        b"[]",
        b'{"content":"a","recipients":[{"mobile":"13800138000"}]}',
        '{"content":"您好","recipients":[{"mobile":13800138000,"ref":"<&"},{"mobile":"1"}]}'.encode(),
        b'{"content":"refused","recipients":[{"mobile":"13800138000"}]}',
        b'{"content":"too many","entries":[{"mobile":"13800138000"}]}',
        b'{"content":"a","content":"b","recipients":[{"mobile":"13800138000"}]}',
        b'{"entries":[{"mobile":"13800138000","content":"a"}],"clientRef":"k"}',
        b'{"content":"a","colour":1,"recipients":[]}',
        send().encode(),
        send("refused", "110").encode(),
    ]
)


@pytest.mark.parametrize("mount", ["/api/json", "/api/xml"])
def test_http(mount: str) -> None:
    door = MOUNTS[mount]
    assert isinstance(door, Batched)
    asked = st.tuples(
        st.sampled_from(["/Send", "/SendBatch", "/Query", "/"]),
        BODIES,
        BASIC,
        st.sampled_from(["", "k", "k2"]),
    )

    @settings(max_examples=150, deadline=None)
    @given(st.lists(asked, min_size=1, max_size=4))
    def compare(all_asked: list[tuple[str, bytes, str, str]]) -> None:
        def environs() -> list[dict[str, Any]]:
            return [
                environ(path, body, HTTP_AUTHORIZATION=shown, HTTP_IDEMPOTENCY_KEY=key)
                for path, body, shown, key in all_asked
                if path != "/Query"
            ]

        expected = [alone(door, each) for each in environs()]
        assert list(door.several(environs())) == expected

    compare()


def test_one_call_of_intake_for_all_of_a_client() -> None:
    door = MOUNTS["/soap"]
    assert isinstance(door, Batched)
    bodies = [
        envelope(send(), own_header(account, "right")).encode()
        for account in ("his", "lis", "his", "his", "lis")
    ]
    HOUSE.calls.clear()
    answers = door.several([environ("", body) for body in bodies])
    assert sorted(HOUSE.calls) == [2, 3]
    assert all(b"code>OK<" in each.body for each in answers)


@pytest.mark.parametrize("mount", ["/soap", "/soap12", "/api/xml"])
def test_a_refusal_names_the_field_as_its_caller_wrote_it(mount: str) -> None:
    door = MOUNTS[mount]
    assert isinstance(door, Batched)

    def asked(operation: str) -> dict[str, Any]:
        if mount.startswith("/soap"):
            return environ("", envelope(operation, own_header("his", "right")).encode())
        name = "SendBatch" if "<SendBatch" in operation else "Send"
        basic = "Basic " + base64.b64encode(b"his:right").decode()
        return environ(f"/{name}", operation.encode(), HTTP_AUTHORIZATION=basic)

    sent = send("too many"), _send_batch("too many"), send("refused"), _send_batch("refused")
    HOUSE.calls.clear()
    together = door.several([asked(each) for each in sent])
    assert HOUSE.calls == [len(sent)], "they went the short way"
    for answers in (together, [alone(door, asked(each)) for each in sent]):
        found = [re.search(rb"field>(\w+)<", each.body) for each in answers]
        named = [field and field[1] for field in found]
        assert named == [b"recipients", b"entries", b"content", b"content"]
        assert [b"retryAfter>1<" in each.body for each in answers] == [False, False, True, True]


def test_when_the_store_is_away_all_hear_of_it() -> None:
    door = MOUNTS["/api/json"]
    assert isinstance(door, Batched)
    shown = "Basic " + base64.b64encode(b"his:right").decode()
    body = b'{"content":"a","recipients":[{"mobile":"13800138000"}]}'
    HOUSE.away = True
    try:
        answers = door.several([environ("/Send", body, HTTP_AUTHORIZATION=shown) for _ in range(3)])
    finally:
        HOUSE.away = False
    assert [each.status[:3] for each in answers] == ["503"] * 3


@pytest.mark.parametrize(
    ("mount", "glimpse", "account"),
    [
        ("/soap", Glimpse("", "", envelope(send(), own_header("his", "x")).encode()), "his"),
        ("/soap", Glimpse("", "", envelope(send(), token("lis", "x")).encode()), "lis"),
        ("/soap", Glimpse("", "", envelope(send(), own_header("madeup", "x")).encode()), ""),
        ("/soap", Glimpse("", "", envelope(send(), "<Signature/>").encode()), None),
        (
            "/soap",
            Glimpse("", "", envelope(send(), token("his", "x") + "#PasswordDigest").encode()),
            None,
        ),
        ("/soap", Glimpse("", "", envelope(f'<Query xmlns="{NS}"/>').encode()), None),
        ("/soap", Glimpse("", "", b""), None),
        ("/api/json", Glimpse("/Send", "Basic aGlzOng=", b"{}"), "his"),
        ("/api/json", Glimpse("/Send", "HMAC-SHA256 his:x", b"{}"), None),
        ("/api/json", Glimpse("/Query", "Basic aGlzOng=", b"{}"), None),
    ],
)
def test_whose_a_request_is(mount: str, glimpse: Glimpse, account: str | None) -> None:
    door = MOUNTS[mount]
    assert isinstance(door, Batched)
    assert door.account_of(glimpse) == account

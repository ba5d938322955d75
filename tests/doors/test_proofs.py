"""Digests and signed requests at the web doors, and the attacks on them (R-2.2, R-2.3)."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from adapter.contract import NS
from adapter.domain.client import Client, ContentCipher, ContentKey, WayIn
from adapter.domain.proofs import ProofKind
from adapter.domain.states import Door
from adapter.security.contents import Binding, seal
from adapter.security.macs import SignedRequest, mac
from tests.doors.conftest import CREDENTIALS, TOKEN, WSSE, Answer, Node, envelope, open_node, send

WSU = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
SECRET, KEY = "digests-need-it-clear", b"0123456789abcdef"
BODY = json.dumps({"content": "你好", "recipients": [{"mobile": "13800138000"}]}).encode()
SEND = "/api/json/Send"
GET_ACCOUNT = f'<GetAccount xmlns="{NS}"/>'


@pytest.fixture(scope="module")
def proving(client: Client) -> Client:
    """The client `his` with secrets for every kind of proof."""
    return replace(
        client,
        digest_secrets=("old secret", SECRET),
        hmac_keys={"2025": b"another key, 16+", "2026a": KEY},
    )


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory, proving: Client) -> Iterator[Node]:
    with open_node(tmp_path_factory.mktemp("node"), proving) as opened:
        yield opened


def moment(seconds: float = 0.0) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")


def digest(secret: str = SECRET, created: str = "", account: str = "his") -> str:
    """A UsernameToken as toolkits make it."""
    nonce, created = secrets.token_bytes(16), created or moment()
    made = hashlib.sha1(nonce + created.encode() + secret.encode()).digest()
    return (
        f'<w:Security xmlns:w="{WSSE}" xmlns:u="{WSU}"><w:UsernameToken>'
        f"<w:Username>{account}</w:Username>"
        f'<w:Password Type="{TOKEN}#PasswordDigest">{base64.b64encode(made).decode()}</w:Password>'
        f"<w:Nonce>{base64.b64encode(nonce).decode()}</w:Nonce>"
        f"<u:Created>{created}</u:Created></w:UsernameToken></w:Security>"
    )


def signature(
    body: bytes = BODY,
    path: str = SEND,
    *,
    algorithm: str = "HMAC-SHA256",
    secret: bytes = KEY,
    time: str = "",
    account: str = "his",
    key: str = "2026a",
    idempotency_key: str = "",
) -> dict[str, str]:
    """The headers of a signed request."""
    request = SignedRequest("POST", path, idempotency_key.encode(), body)
    parts = {
        "account": account,
        "key": key,
        "time": time or moment(),
        "nonce": secrets.token_hex(8),
    }
    made = mac(algorithm, secret, request, **parts).hex()
    text = ", ".join(f'{name}="{value}"' for name, value in (parts | {"signature": made}).items())
    headers = {"Authorization": f"{algorithm} {text}"}
    return headers | ({"Idempotency-Key": idempotency_key} if idempotency_key else {})


def post(node: Node, headers: dict[str, str], body: bytes = BODY, path: str = SEND) -> Answer:
    return node.post(body, path, "application/json", headers)


def code(answer: Answer) -> str:
    return str(json.loads(answer.body)["code"])


def test_a_digest_opens_with_both_secrets(shown: Node) -> None:
    for secret in ("old secret", SECRET):
        assert shown.call(send(), header=digest(secret)).text("code") == "OK"


def test_a_replayed_digest_is_refused(shown: Node) -> None:
    recorded = digest()
    assert shown.call(GET_ACCOUNT, header=recorded).text("account") == "his"
    assert shown.call(GET_ACCOUNT, header=recorded).text("code") == "AUTH_FAILED"
    assert shown.call(send(), header=recorded).text("code") == "AUTH_FAILED"


def test_what_was_recorded_is_refused_after_a_restart_too(tmp_path: Path, proving: Client) -> None:
    token, signed = digest(), signature()
    with open_node(tmp_path, proving) as node:
        assert node.call(GET_ACCOUNT, header=token).text("account") == "his"
        assert code(post(node, signed)) == "OK"
    with open_node(tmp_path, proving) as node:
        assert node.call(GET_ACCOUNT, header=token).text("code") == "AUTH_FAILED"
        assert code(post(node, signed)) == "SIGNATURE_INVALID"
        assert code(post(node, signature())) == "OK"


@pytest.mark.parametrize("seconds", [-301, 301])
def test_a_clock_that_is_far_off_is_refused(shown: Node, seconds: float) -> None:
    token = digest(created=moment(seconds))
    assert shown.call(send(), header=token).text("code") == "AUTH_FAILED"
    assert code(post(shown, signature(time=moment(seconds)))) == "SIGNATURE_INVALID"


@pytest.mark.parametrize("seconds", [-240, 240])
def test_a_clock_that_is_a_little_off_is_well(shown: Node, seconds: float) -> None:
    assert shown.call(send(), header=digest(created=moment(seconds))).text("code") == "OK"
    assert code(post(shown, signature(time=moment(seconds)))) == "OK"


def test_wrong_digests_and_unknown_accounts_give_one_answer(shown: Node) -> None:
    answers = {
        (answer.text("code"), answer.text("faultstring"))
        for answer in (
            shown.call(send(), header=digest("wrong")),
            shown.call(send(), header=digest(account="nobody")),
            shown.call(send(), header=digest(account="lis", secret="his other")),
            shown.call(send(), header=digest(created=moment(-900))),
            shown.call(send(), header=CREDENTIALS.replace("S3cret", "wrong")),
        )
    }
    assert len(answers) == 1


@pytest.mark.parametrize("algorithm", ["HMAC-SHA256", "HMAC-SM3"])
def test_a_signed_request_is_taken(shown: Node, algorithm: str) -> None:
    answer = post(shown, signature(algorithm=algorithm))
    assert (answer.status, code(answer)) == (200, "OK")


def test_both_keys_open_during_a_rotation(shown: Node) -> None:
    assert code(post(shown, signature(secret=b"another key, 16+", key="2025"))) == "OK"


def test_a_signed_soap_request_is_taken(shown: Node) -> None:
    body = envelope(send(), header="").encode()
    answer = shown.post(body, headers=signature(body, "/soap"))
    assert answer.text("code") == "OK"
    other = body.replace(b"13800138000", b"13900139000")
    refused = shown.post(other, headers=signature(body, "/soap"))
    assert refused.fault == ("Client", "SIGNATURE_INVALID", None)


def test_a_replayed_signature_is_refused(shown: Node) -> None:
    recorded = signature()
    assert code(post(shown, recorded)) == "OK"
    again = post(shown, recorded)
    assert (again.status, code(again)) == (401, "SIGNATURE_INVALID")


def test_of_many_repetitions_at_the_same_moment_one_is_taken(shown: Node) -> None:
    recorded, token = signature(), digest()

    def replay(number: int) -> str | None:
        if number % 2:
            return shown.call(send(), header=token).text("code")
        return code(post(shown, recorded))

    with ThreadPoolExecutor(20) as pool:
        told = Counter(pool.map(replay, range(40)))
    assert told == {"OK": 2, "SIGNATURE_INVALID": 19, "AUTH_FAILED": 19}


def test_a_signature_holds_for_one_address_of_the_node_alone(shown: Node) -> None:
    recorded, body = signature(), send().encode()
    before = len(shown.arrived)
    for path in ("/api/json/SendBatch", "/api/json/Query", "/api/json/send", "/api/json//Send/"):
        assert post(shown, recorded, path=path).status >= 400
    for path in ("/api/xml/Send", "/soap"):
        assert shown.post(body, path, headers=signature(body)).status >= 400
    assert len(shown.arrived) == before
    assert code(post(shown, recorded)) == "OK", "nobody has used it up"


def test_no_part_of_a_signed_request_can_be_changed(shown: Node) -> None:
    answers = {
        (answer.status, answer.body)
        for answer in (
            post(shown, signature(), BODY.replace(b"13800138000", b"13900139000")),
            post(shown, signature(b"", "/api/json/Ping"), b"", "/api/json/GetAccount"),
            post(shown, signature() | {"Idempotency-Key": "another"}),
            post(shown, signature(secret=b"a key of somebody")),
            post(shown, signature(key="2027")),
            post(shown, signature(account="nobody")),
            post(shown, {"Authorization": signature()["Authorization"].replace("his", "lis")}),
            post(shown, signature(time=moment(-900))),
        )
    }
    assert len(answers) == 1, "and the answers tell nothing"
    assert next(iter(answers))[0] == 401


def test_a_signature_covers_the_idempotency_key(shown: Node) -> None:
    assert code(post(shown, signature(idempotency_key="OP-1"))) == "OK"


def test_a_header_that_cannot_be_read_says_why(shown: Node) -> None:
    answer = post(shown, {"Authorization": 'HMAC-SHA256 account="his"'})
    assert code(answer) == "SIGNATURE_INVALID"
    assert "lacks key, time, nonce, signature" in answer.body.decode()


def test_a_client_may_have_to_show_two_proofs(tmp_path: Path, proving: Client) -> None:
    both = WayIn((ProofKind.PASSWORD, ProofKind.HMAC), (Door.SOAP,))
    only = WayIn((ProofKind.HMAC,), (Door.HTTP,))
    with open_node(tmp_path, replace(proving, entries=(both, only))) as node:
        body = envelope(send()).encode()
        assert node.post(body, headers=signature(body, "/soap")).text("code") == "OK"
        assert node.post(body).text("code") == "SIGNATURE_INVALID"
        bare = envelope(send(), header="").encode()
        assert node.post(bare, headers=signature(bare, "/soap")).text("code") == "AUTH_FAILED"
        basic = base64.b64encode(b"his:S3cret-of-the-HIS").decode()
        assert code(post(node, {"Authorization": f"Basic {basic}"})) == "SIGNATURE_INVALID"
        assert code(post(node, signature())) == "OK"


def test_a_wrong_proof_beside_a_right_one_is_refused(shown: Node) -> None:
    body = envelope(send()).encode()
    wrong = signature(body, "/soap", secret=b"somebody's secret")
    assert shown.post(body, headers=wrong).text("code") == "SIGNATURE_INVALID"
    body = envelope(send(), CREDENTIALS.replace("S3cret", "wrong")).encode()
    assert shown.post(body, headers=signature(body, "/soap")).text("code") == "SIGNATURE_INVALID"


def test_an_encrypted_content_is_opened_and_sent(tmp_path: Path, client: Client) -> None:
    key = ContentKey(ContentCipher.SM4_GCM, bytes(16))
    with open_node(tmp_path, replace(client, content_keys={"k": key})) as node:
        sealed = seal("k", key, "您的验证码为4711", Binding("his", "OP-1", ("13800138000",)))

        def send_it(ref: str, mobile: str, **more: str) -> Answer:
            asked = {"clientRef": ref, "recipients": [{"mobile": mobile}]}
            body = json.dumps(asked | {"encryptedContent": sealed} | more).encode()
            basic = base64.b64encode(b"his:S3cret-of-the-HIS").decode()
            return post(node, {"Authorization": f"Basic {basic}"}, body)

        pasted = (send_it("OP-2", "13800138000"), send_it("OP-1", "13900139000"))
        assert [(each.status, code(each)) for each in pasted] == [(400, "DECRYPT_FAILED")] * 2
        assert code(send_it("OP-1", "13800138000", content="plain")) == "BAD_REQUEST"
        assert not node.arrived
        assert code(send_it("OP-1", "13800138000")) == "OK"
        assert [each.submission.content for each in node.arrived] == [
            "【市一医院】您的验证码为4711"
        ]


def test_content_keys_are_replaced_without_an_interruption(tmp_path: Path, client: Client) -> None:
    old = ContentKey(ContentCipher.AES_256_GCM, bytes(32))
    new = ContentKey(ContentCipher.SM4_GCM, bytes(range(16)))

    def sealed(key_id: str, key: ContentKey, ref: str, account: str = "his") -> bytes:
        content = seal(key_id, key, "您的验证码为4711", Binding(account, ref, ("13800138000",)))
        asked = {"clientRef": ref, "recipients": [{"mobile": "13800138000"}]}
        return json.dumps(asked | {"encryptedContent": content}).encode()

    basic = {"Authorization": f"Basic {base64.b64encode(b'his:S3cret-of-the-HIS').decode()}"}
    with open_node(tmp_path / "both", replace(client, content_keys={"a": old, "b": new})) as node:
        assert code(post(node, basic, sealed("a", old, "1"))) == "OK"
        assert code(post(node, basic, sealed("b", new, "2"))) == "OK"
        assert code(post(node, basic, sealed("b", old, "3"))) == "DECRYPT_FAILED"
        assert code(post(node, basic, sealed("a", old, "4", "lis"))) == "DECRYPT_FAILED"
    with open_node(tmp_path / "new", replace(client, content_keys={"b": new})) as node:
        assert code(post(node, basic, sealed("a", old, "5"))) == "DECRYPT_FAILED"
        assert code(post(node, basic, sealed("b", new, "6"))) == "OK"


@pytest.mark.parametrize("algorithm", ["HMAC-SHA256", "HMAC-SM3"])
def test_signed_requests_are_optional_or_required(
    tmp_path: Path, proving: Client, algorithm: str
) -> None:
    basic = {"Authorization": f"Basic {base64.b64encode(b'his:S3cret-of-the-HIS').decode()}"}
    only = WayIn((ProofKind.HMAC,), (Door.HTTP,))
    for name, client, unsigned in (
        ("optional", proving, "OK"),
        ("required", replace(proving, entries=(only,)), "SIGNATURE_INVALID"),
    ):
        with open_node(tmp_path / name, client) as node:
            assert code(post(node, signature(algorithm=algorithm))) == "OK"
            assert code(post(node, basic)) == unsigned
            altered = BODY.replace(b"13800138000", b"13900139000")
            assert altered != BODY
            assert code(post(node, signature(algorithm=algorithm), altered)) == "SIGNATURE_INVALID"

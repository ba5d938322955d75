"""The Python SDK without a node: its values, codes, signatures, seals, pauses and its package."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import his_sms
import pytest
from his_sms import (
    Basic,
    CallbackRefused,
    CallbackVerifier,
    Client,
    ContentKey,
    Hmac,
    NoAnswer,
    Retry,
    errors,
    values,
)
from his_sms.calls import Target

from adapter import contract
from adapter.domain.errors import Code
from adapter.domain.states import FINAL
from tests.sdk.conftest import ROOT, VECTORS
from tests.sdk.languages import SDK, SECRET

SECRETS = {"cb1": SECRET}
NOW = 1772352000.0
"""2026-03-01T08:00:00Z"""
BODY = b'{"receipts":[]}'
VECTOR = "ea1a97a94e76c649008dbf2c654802c0ec8d2a51b8015d8768f355092e108127"
"""From docs/integrator/callbacks.md."""


def camel(name: str) -> str:
    return re.sub(r"_(.)", lambda found: found[1].upper(), name)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (values.Recipient, contract.Recipient),
        (values.Entry, contract.Entry),
        (values.Result, contract.Result),
        (values.SendReply, contract.SendReply),
        (values.Segment, contract.Segment),
        (values.Message, contract.Message),
        (values.Receipt, contract.Receipt),
        (values.ReceiptPage, contract.FetchReceiptsReply),
        (values.Inbound, contract.Inbound),
        (values.InboundPage, contract.FetchInboundReply),
        (values.Account, contract.GetAccountReply),
        (values.Pong, contract.PingReply),
    ],
)
def test_a_value_has_the_members_of_the_contract(ours: Any, theirs: Any) -> None:
    assert {camel(each.name) for each in fields(ours)} == set(theirs.get_flat_type_info(theirs))


def test_a_sending_can_say_all_that_the_contract_has() -> None:
    known = set(contract.SendRequest.get_flat_type_info(contract.SendRequest))
    sent = {"clientRef", "content", "encryptedContent", "template", "values", "recipients"}
    assert {camel(each.name) for each in fields(values.Options)} | sent == known


def test_every_code_has_its_class() -> None:
    assert set(errors.BY_CODE) == set(Code) - {Code.OK, Code.PARTIAL}
    assert {code for code, kind in errors.BY_CODE.items() if kind.retryable} == {
        "RATE_LIMITED", "SPOOL_FULL", "STORE_UNAVAILABLE", "INTERNAL",
    }  # fmt: skip


def test_the_final_states_are_those_of_the_platform() -> None:
    assert values.FINAL_STATES == FINAL


def test_an_answer_of_a_newer_adapter_is_read() -> None:
    result = values.from_json(values.Result, {"code": "NEW_ONE", "colour": "red", "ref": None})
    assert result == values.Result("NEW_ONE")


@pytest.mark.parametrize("members", [[], {}, {"code": 1}, {"code": "OK", "segments": "2"}])
def test_an_answer_that_is_none_is_refused(members: Any) -> None:
    with pytest.raises(ValueError):
        values.from_json(values.Result, members)


@pytest.mark.parametrize("vector", VECTORS)
def test_contents_are_sealed_as_the_vectors_say(vector: Mapping[str, Any]) -> None:
    key = ContentKey(vector["keyId"], bytes.fromhex(vector["key"]), vector["cipher"])
    nonce = bytes.fromhex(vector["nonce"])
    bound = (vector["content"], vector["account"], vector["clientRef"], vector["mobiles"])
    assert key.seal(*bound, nonce) == vector["encryptedContent"]
    assert key.seal(*bound) != key.seal(*bound)


def test_keys_and_bindings_that_cannot_be() -> None:
    with pytest.raises(ValueError, match="32 octets"):
        ContentKey("a", bytes(16))
    with pytest.raises(ValueError, match="cipher"):
        ContentKey("a", bytes(16), "rot13")
    assert (
        ContentKey.from_base64("a", "AAECAwQFBgcICQoLDA0ODw==\n", "sm4-gcm").octets[:2] == b"\0\1"
    )
    with pytest.raises(ValueError, match="line feeds"):
        ContentKey("a", bytes(32)).seal("x", "his", "a\nb", [])


@pytest.mark.parametrize(
    ("algorithm", "expected"),
    [
        ("HMAC-SHA256", "4e8069dcd9616a2cf9b741cb8d41220747a6e8e5252b22aad1b32c057b392d2e"),
        ("HMAC-SM3", "142d131d8f6c46b39f07944a6f566d1c92a98b5df21b1f3329832c1651a206a0"),
    ],
)
def test_a_request_is_signed_as_the_page_says(algorithm: str, expected: str) -> None:
    page = (ROOT / "docs/integrator/http.md").read_text(encoding="utf-8")
    assert expected in page
    header = Hmac("his", "2026a", SECRET, algorithm).stamped(
        "POST",
        "/api/json/Send",
        b'{"content":"hi"}',
        time="2026-03-01T08:00:00Z",
        nonce="9f86d081884c7d65",
        idempotency_key="OP-20260301-0001",
    )
    assert header.endswith(f'signature="{expected}"')


def test_each_signature_is_another_one() -> None:
    shown = Hmac("his", "2026a", SECRET)
    assert shown.authorization("POST", "/", b"") != shown.authorization("POST", "/", b"")
    with pytest.raises(ValueError, match="algorithm"):
        Hmac("his", "2026a", SECRET, "HMAC-MD5")
    with pytest.raises(ValueError, match="account"):
        Hmac('h"is', "2026a", SECRET)


def test_secrets_are_not_shown() -> None:
    shown = repr([Basic("his", "pass-word"), Hmac("his", "a", SECRET), ContentKey("a", b"k" * 32)])
    assert "pass-word" not in shown
    assert SECRET not in shown
    assert "kkk" not in shown


def signed(
    body: bytes = BODY, key: str = "cb1", account: str = "his", **more: Any
) -> dict[str, str]:
    more = {"time": "2026-03-01T08:00:00Z", "nonce": "9f86d081884c7d65"} | more
    secret = more.pop("secret", SECRETS.get(key, "other"))
    reference = {"idempotency_key": "7301444403200000001"} | more
    header = Hmac(account, key, secret).stamped("POST", "/sms/events", body, **reference)
    return {"authorization": header, "idempotency-key": "7301444403200000001"}


def verifier(**more: Any) -> CallbackVerifier:
    return CallbackVerifier("his", SECRETS, **({"clock": lambda: NOW} | more))


def test_a_callback_is_believed_once() -> None:
    ours = verifier()
    headers = signed()
    assert headers["authorization"].endswith(f'signature="{VECTOR}"')
    assert ours.verify("POST", "/sms/events", headers, BODY) == his_sms.Callback()
    with pytest.raises(CallbackRefused, match="before"):
        ours.verify("POST", "/sms/events", headers, BODY)


def test_what_a_callback_brings() -> None:
    body = (
        b'{"receipts": [{"receiptId": "7", "messageId": "1", "submissionId": "2",'
        b' "mobile": "13800138000", "state": "DELIVERED", "segmentCount": 1}], "inbound":'
        b' [{"inboundId": "8", "mobile": "13800138000", "accessNumber": "1069", "content": "T",'
        b' "receivedAt": "2026-03-01T16:00:00.000+08:00"}]}'
    )
    brought = verifier().verify("POST", "/sms/events", signed(body), body)
    assert [each.receipt_id for each in brought.receipts] == ["7"]
    assert [each.content for each in brought.inbound] == ["T"]
    assert brought.inbound[0].received_at.timestamp() == NOW


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"body": b'{"receipts":[{}]}'}, "fit"),
        ({"path": "/sms/other"}, "fit"),
        ({"method": "GET"}, "fit"),
        ({"headers": signed(secret="another secret")}, "fit"),
        ({"headers": signed() | {"idempotency-key": "1"}}, "fit"),
        ({"headers": {"Authorization": signed()["authorization"]}}, "fit"),
        ({"headers": signed(account="lis")}, "agreed"),
        ({"headers": signed(key="cb2")}, "agreed"),
        ({"headers": {}}, "none of ours"),
        ({"headers": {"Authorization": "Basic aGlzOmhpcw=="}}, "none of ours"),
        ({"headers": {"Authorization": 'HMAC-SHA256 account="his"'}}, "none of ours"),
        ({"headers": signed(nonce="short")}, "none of ours"),
        ({"headers": signed(time="2026-03-01T07:54:59Z")}, "clock"),
        ({"headers": signed(time="2026-03-01T08:05:01Z")}, "clock"),
        ({"headers": signed(time="yesterday")}, "none of ours"),
    ],
)  # fmt: skip
def test_a_callback_that_is_not_true_is_refused(change: Mapping[str, Any], why: str) -> None:
    came = {"method": "POST", "path": "/sms/events", "headers": signed(), "body": BODY, **change}
    with pytest.raises(CallbackRefused, match=why):
        verifier().verify(**came)


def test_a_forgery_does_not_use_up_a_nonce() -> None:
    ours = verifier()
    with pytest.raises(CallbackRefused):
        ours.verify("POST", "/sms/events", signed(), b"{}")
    ours.verify("POST", "/sms/events", signed(), BODY)


def test_nonces_are_forgotten_when_their_time_is_over() -> None:
    now = [NOW]
    ours = verifier(clock=lambda: now[0])
    for at in range(100):
        ours.check("POST", "/sms/events", signed(nonce=f"nonce-{at:03}"), BODY)
    now[0] += 601
    ours.check("POST", "/sms/events", signed(nonce="nonce-new", time="2026-03-01T08:10:01Z"), BODY)
    assert len(ours._nonces) == 1


def test_nonces_may_be_remembered_elsewhere() -> None:
    known: list[str] = []

    def seen(nonce: str) -> bool:
        known.append(nonce)
        return nonce in known[:-1]

    verifier(seen=seen).check("POST", "/sms/events", signed(), BODY)
    with pytest.raises(CallbackRefused, match="before"):
        verifier(seen=seen).check("POST", "/sms/events", signed(), BODY)


def test_pauses_grow_and_end() -> None:
    retry = Retry(tries=5, first_s=1, most_s=3)
    pauses = [retry.pause_s(tried, NoAnswer("x")) for tried in range(1, 6)]
    assert pauses[-1] is None
    for pause, most in zip(pauses, (1, 2, 3, 3)):
        assert pause is not None
        assert most / 2 <= pause <= most


def test_what_the_adapter_asks_for_goes_first() -> None:
    retry = Retry(tries=5, first_s=1, most_s=30)
    busy = errors.RateLimited("RATE_LIMITED", "", retry_after_s=20.0)
    assert retry.pause_s(1, busy) == 20
    assert retry.pause_s(1, errors.RateLimited("RATE_LIMITED", "", retry_after_s=31.0)) is None
    assert retry.pause_s(1, errors.QuotaExceeded("QUOTA_EXCEEDED", "", retry_after_s=1.0)) is None


@pytest.mark.parametrize("url", ["sms.example.org", "ftp://h", "https://h/?a=b", "http://10.0.0.1"])
def test_an_address_that_cannot_be_or_shows_the_password(url: str) -> None:
    with pytest.raises(ValueError, match="url"):
        Client(url, Basic("his", "secret"))


def test_addresses_that_are_allowed() -> None:
    for url in ("https://sms.example.org/", "http://127.0.0.1:8080", "http://[::1]:8080"):
        Target(url, Basic("his", "secret"))
    Target("http://10.0.0.1", Basic("his", "secret"), plain=True)
    Target("http://10.0.0.1", Hmac("his", "a", SECRET))


def test_everything_public_is_named() -> None:
    assert his_sms.__all__ == sorted(his_sms.__all__, key=lambda name: (not name.isupper(), name))
    assert all(hasattr(his_sms, name) for name in his_sms.__all__)


def test_both_clients_have_the_same_methods() -> None:
    def methods(name: str, kind: str) -> dict[str, list[str]]:
        tree = ast.parse((SDK / "python/his_sms" / name).read_text(encoding="utf-8"))
        (found,) = (
            each for each in tree.body if isinstance(each, ast.ClassDef) and each.name == kind
        )
        return {
            each.name: [
                *(arg.arg for arg in each.args.args),
                *(a.arg for a in each.args.kwonlyargs),
            ]
            for each in found.body
            if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)
            and not each.name.startswith("_")
        }

    sync, twin = methods("client.py", "Client"), methods("aio.py", "AsyncClient")
    sync["follow"].remove("stop")
    assert sync == twin


def test_the_package_stands_alone(tmp_path: Path) -> None:
    """Built by its own pyproject.toml and used from another folder, without the platform."""
    source = tmp_path / "source"
    source.mkdir()
    for path in (SDK / "python").rglob("*"):
        if path.is_file() and path.suffix in (".py", ".toml", ".md", ".typed"):
            target = source / path.relative_to(SDK / "python")
            target.parent.mkdir(exist_ok=True)
            target.write_bytes(path.read_bytes())
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation",
         "--no-index", "--target", tmp_path / "site", source],
        check=True,
    )  # fmt: skip
    told = subprocess.run(
        [sys.executable, "-c", "import his_sms, sys; print(his_sms.__file__);"
         "print([name for name in ('adapter', 'connectors', 'spyne') if name in sys.modules])"],
        cwd=tmp_path / "site", capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert told.stdout.split() == [str(tmp_path / "site/his_sms/__init__.py"), "[]"]
    assert (tmp_path / "site/his_sms/py.typed").exists()

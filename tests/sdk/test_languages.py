"""The SDKs and examples of other languages, each by its own interpreter: the same trials for all.

The Java SDK is built by its own script; the examples in PHP and C# are run as they stand. The
trials (tests/sdk/trials) only call them and print what came of it.
"""

from __future__ import annotations

import base64
import zipfile
from collections.abc import Callable, Mapping
from typing import Any
from zlib import crc32

import pytest
from his_sms import Hmac

from tests.nodes import until
from tests.sdk.conftest import CONTENT_KEY, VECTORS, World
from tests.sdk.front import Front, Mood
from tests.sdk.languages import MAKERS, SECRET, Language

BODY = b'{"receipts":[{"receiptId":"7301444403200000001","messageId":"1","submissionId":"2",\
"mobile":"13800138000","state":"DELIVERED","segmentCount":1}]}'
NOW = 1772352000
"""2026-03-01T08:00:00Z"""


@pytest.fixture(params=sorted(MAKERS))
def language(request: pytest.FixtureRequest, made: Callable[[str], Language]) -> Language:
    return made(request.param)


@pytest.fixture
def mobile(request: pytest.FixtureRequest) -> str:
    """A number that no other test writes to."""
    return f"138{crc32(request.node.nodeid.encode()) % 10**8:08}"


def test_a_bad_network_sends_nothing_twice(
    language: Language, world: World, front: Front, mobile: str, ref: str
) -> None:
    front.moods.extend([Mood.LOSE_ANSWER, Mood.BUSY, Mood.GATEWAY, Mood.BREAK])
    assert language.run("send", front.url, ref, mobile, "您好 1") == ["OK"]
    assert {each.client_ref for each in front.sent()} == {ref}
    assert len(front.sent()) == 5
    signatures = {each.headers.get("Authorization") for each in front.sent()}
    assert len(signatures) == (5 if language.signs else 1)
    with language.client(world.url) as sms:
        sms.send(mobile, "last")
    assert sorted(world.until_sent(mobile, 2)) == ["last", "您好 1"]


def test_a_content_travels_encrypted(
    language: Language, world: World, front: Front, mobile: str, ref: str
) -> None:
    key = base64.b64encode(CONTENT_KEY).decode()
    front.moods.append(Mood.LOSE_ANSWER)
    assert language.run("send", front.url, ref, f"+86 {mobile}", "密码 4711", key) == ["OK"]
    assert world.until_sent(mobile) == ["密码 4711"]
    assert all(
        b"4711" not in each.body and b"encryptedContent" in each.body for each in front.sent()
    )


def test_refusals_have_their_kinds(language: Language, front: Front) -> None:
    assert language.run("refused", front.url, f"nobody-{language.account}") == [
        "BAD_NUMBER 2",
        "TEMPLATE_UNKNOWN 0",
        "SIGNATURE_INVALID 0" if language.signs else "AUTH_FAILED 0",
    ]
    assert len(front.seen) == 3


def test_receipts_are_acknowledged_after_the_handler(
    language: Language, world: World, mobile: str, ref: str
) -> None:
    with language.client(world.url) as sms:
        sms.handle_receipts(lambda _: None)
        for number in "123":
            sms.send(mobile, f"text {number}", client_ref=f"{ref}-{number}")
        until(lambda: len(sms.fetch_receipts().receipts) == 3)
        waiting = [each.client_ref for each in sms.fetch_receipts().receipts]
        assert language.run("receipts", world.url, "2") == [
            f"{waiting[0]} DELIVERED",
            "the disk is full",
        ]
        assert [each.client_ref for each in sms.fetch_receipts().receipts] == waiting[1:]
        assert language.run("receipts", world.url, "0") == [
            f"{waiting[1]} DELIVERED",
            f"{waiting[2]} DELIVERED",
            "handled 2",
        ]
        assert sms.fetch_receipts().receipts == ()


def test_a_text_from_a_phone_comes_home(language: Language, world: World, mobile: str) -> None:
    with language.client(world.url) as sms:
        world.answer_from(mobile, "明天不来了", sms.get_account().extension or "")
        until(lambda: sms.fetch_inbound().inbound)
        assert language.run("inbound", world.url) == [f"{mobile} 明天不来了"]
        assert sms.fetch_inbound().inbound == ()


@pytest.mark.parametrize("vector", [each for each in VECTORS if each["cipher"] == "aes-256-gcm"])
def test_contents_are_sealed_as_the_vectors_say(
    language: Language, vector: Mapping[str, Any]
) -> None:
    bound = (vector["account"], vector["clientRef"], vector["content"], *vector["mobiles"])
    fixed, drawn = language.run("seal", vector["key"], vector["nonce"], *bound)
    assert fixed == vector["encryptedContent"]
    assert drawn != fixed


def test_callbacks_are_believed_when_they_are_true(language: Language) -> None:
    def came(
        body: bytes = BODY,
        path: str = "/sms/events",
        account: str = "his",
        key: str = "cb1",
        secret: str = SECRET,
        reference: str = "7301444403200000001",
        **more: str,
    ) -> list[str]:
        stamp = {"time": "2026-03-01T08:00:00Z", "nonce": "9f86d081884c7d65"} | more
        header = Hmac(account, key, secret).stamped(
            "POST", "/sms/events", BODY, idempotency_key="7301444403200000001", **stamp
        )
        return ["POST", path, header, reference, base64.b64encode(body).decode()]

    true = came()
    broken = came(nonce="nonce-broken")
    lacking = broken[2].partition(", signature")[0]
    requests = [
        came(body=BODY.replace(b"DELIVERED", b"REJECTED")),
        came(path="/sms/other"),
        came(account="lis"),
        came(key="cb2"),
        came(secret="another secret"),
        came(reference="1"),
        came(time="2026-03-01T07:54:59Z", nonce="nonce-old"),
        came(time="2026-03-01T08:05:01Z", nonce="nonce-young"),
        came(time="yesterday", nonce="nonce-wrong"),
        came(nonce="short"),
        [*broken[:2], lacking, *broken[3:]],
        [*broken[:2], "Basic aGlzOmhpcw==", *broken[3:]],
        [*broken[:2], "", *broken[3:]],
        [*broken[:2], broken[2] + f', signature="{"0" * 64}"', *broken[3:]],
        true,
        true,
        came(time="2026-03-01T08:04:59Z", nonce="nonce-edge"),
    ]
    told = language.run("verify", str(NOW), *(part for each in requests for part in each))
    assert told == ["refused"] * 14 + ["true", "refused", "true"]


def test_what_only_java_has(world: World, made: Callable[[str], Language]) -> None:
    told = made("java").run("more", world.url, "13812121212")
    assert told == [
        "running java",
        "HELD false b",
        "0",
        "1",
        "1",
        "true",
        "AUTH_FAILED",
        "BAD_REQUEST businessKey",
        "kept",
        "in the clear",
        "in the clear",
        "OK",
        "true",
        '{"a":[1,-2500.0,true,null,"王/",{},[]]}',
        "followed",
        *["not taken"] * 4,
    ]


def test_the_jar_is_for_java_8_and_holds_the_sdk_alone(made: Callable[[str], Language]) -> None:
    jar = str(made("java").command[-2]).partition(":")[0]
    with zipfile.ZipFile(jar) as opened:
        classes = [name for name in opened.namelist() if name.endswith(".class")]
        assert classes
        for name in classes:
            assert name.startswith("hissms/")
            assert int.from_bytes(opened.read(name)[6:8], "big") == 52

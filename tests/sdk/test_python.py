"""The Python SDK against a real node, synchronous and asyncio alike."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from zlib import crc32

import pytest
from his_sms import (
    NEVER,
    AsyncClient,
    Basic,
    Client,
    ContentKey,
    Entry,
    Hmac,
    Inbound,
    NoAnswer,
    Options,
    Receipt,
    Recipient,
    Retry,
    UnexpectedAnswer,
    errors,
)

from tests.nodes import PASSWORD, free_port, until
from tests.sdk.conftest import CONTENT_KEY, World
from tests.sdk.front import Front, Mood
from tests.sdk.languages import KEY_ID, SECRET

QUICK = Retry(tries=6, first_s=0.01, most_s=2.0)


class Hand:
    """Either client, called as the synchronous one."""

    def __init__(self, client: Client | AsyncClient, runner: asyncio.Runner) -> None:
        self.client = client
        self._runner = runner

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self.client, name)
        if not inspect.iscoroutinefunction(method):
            return method  # type: ignore[no-any-return]

        def run(*args: Any, **named: Any) -> Any:
            return self._runner.run(method(*map(_as_coroutine, args), **named))

        return run


def _as_coroutine(argument: Any) -> Any:
    """A handler for the asyncio client."""
    if not callable(argument):
        return argument

    async def handler(each: Any) -> None:
        argument(each)

    return handler


Make = Callable[..., Hand]


@pytest.fixture(params=["python-sync", "python-async"])
def make(request: pytest.FixtureRequest) -> Iterator[Make]:
    """Makes clients of one kind, for the account of that kind."""
    account = request.param
    kind: Any = Client if account == "python-sync" else AsyncClient
    made: list[Hand] = []
    with asyncio.Runner() as runner:

        def build(url: str, *, signed: bool = True, **more: Any) -> Hand:
            shown = Hmac(account, KEY_ID, SECRET) if signed else Basic(account, PASSWORD)
            more.setdefault("retry", QUICK)
            made.append(Hand(kind(url, more.pop("credentials", shown), **more), runner))
            return made[-1]

        yield build
        for hand in made:
            hand.close()


@pytest.fixture
def mobile(make: Make, request: pytest.FixtureRequest) -> str:
    """A number that no other test writes to."""
    return f"139{crc32(request.node.nodeid.encode()) % 10**8:08}"


def drain(sms: Hand) -> list[Receipt]:
    """Receipts of earlier tests are out of the way."""
    found: list[Receipt] = []
    sms.handle_receipts(found.append)
    return found


@pytest.mark.parametrize("signed", [True, False], ids=["hmac", "basic"])
def test_a_text_goes_out_and_its_receipt_comes_home(
    make: Make, world: World, mobile: str, ref: str, signed: bool
) -> None:
    sms = make(world.url, signed=signed)
    assert sms.ping().state == "running"
    assert sms.get_account().account.startswith("python")
    options = Options(pass_through="红", lane="urgent", business="lab")
    reply = sms.send(
        Recipient(mobile, "r1"), "您的就诊时间为明天14:30。", client_ref=ref, options=options
    )
    assert (reply.code, reply.accepted, reply.refused) == ("OK", 1, 0)
    (result,) = reply.results
    assert (result.ref, result.code) == ("r1", "OK")
    assert world.until_sent(mobile) == ["您的就诊时间为明天14:30。"]

    receipts: list[Receipt] = []
    until(lambda: sms.handle_receipts(receipts.append) and receipts[-1].client_ref == ref)
    assert (receipts[-1].state, receipts[-1].pass_through) == ("DELIVERED", "红")
    assert receipts[-1].message_id == result.message_id
    assert sms.fetch_receipts().receipts == ()

    (message,) = sms.query(client_ref=ref)
    assert message.is_final
    assert message.segments[0].carrier_code == "DELIVRD"
    assert message.accepted_at <= message.done_at
    assert sms.query(message_ids=[message.message_id]) == (message,)
    assert sms.query(client_ref=f"{ref}-none") == ()


def test_a_batch_and_what_is_withdrawn(make: Make, world: World, mobile: str, ref: str) -> None:
    sms = make(world.url)
    entries = [Entry(mobile, "one"), Entry(mobile, "two", ref="b")]
    later = Options(schedule_at=datetime.now(UTC) + timedelta(hours=1), business_key=ref)
    reply = sms.send_batch(entries, client_ref=ref, options=later)
    assert [each.ref for each in reply.results] == [None, "b"]
    assert {each.state for each in sms.query(submission_id=reply.submission_id)} == {"HELD"}
    assert sms.cancel(message_ids=[reply.results[0].message_id]) == 1
    assert sms.cancel(business_key=ref) == 1
    assert sms.cancel(submission_id=reply.submission_id) == 0
    assert world.texts(mobile) == []


def test_a_bad_network_sends_nothing_twice(
    make: Make, world: World, front: Front, mobile: str, ref: str
) -> None:
    sms = make(front.url)
    front.moods.extend([Mood.LOSE_ANSWER, Mood.BUSY, Mood.GATEWAY, Mood.BREAK])
    reply = sms.send(mobile, "once", client_ref=ref)
    assert reply.code == "OK"
    assert len(front.sent()) == 5
    assert {each.json()["clientRef"] for each in front.sent()} == {ref}
    assert len({each.headers["Authorization"] for each in front.sent()}) == 5
    sms.send(mobile, "once", client_ref=ref)
    sms.send(mobile, "last", client_ref=f"{ref}-2")
    assert sorted(world.until_sent(mobile, 2)) == ["last", "once"]


def test_a_reference_is_made_up_once_for_all_tries(
    make: Make, world: World, front: Front, mobile: str
) -> None:
    front.moods.extend([Mood.LOSE_ANSWER, Mood.LOSE_ANSWER])
    reply = make(front.url).send(mobile, "once")
    assert reply.accepted == 1
    assert len({each.json()["clientRef"] for each in front.sent()}) == 1
    assert world.until_sent(mobile) == ["once"]


def test_when_every_try_failed_the_reference_is_told(
    make: Make, front: Front, mobile: str, world: World
) -> None:
    front.moods.extend([Mood.LOSE_ANSWER] * 2)
    sms = make(front.url, retry=Retry(tries=2, first_s=0.01))
    with pytest.raises(NoAnswer) as caught:
        sms.send(mobile, "once")
    again = sms.send(mobile, "once", client_ref=caught.value.client_ref)
    assert again.code == "OK"
    assert world.until_sent(mobile) == ["once"]


def test_nobody_is_there(make: Make) -> None:
    sms = make(f"http://127.0.0.1:{free_port()}", retry=Retry(tries=2, first_s=0.01))
    with pytest.raises(NoAnswer):
        sms.ping()


def test_somebody_else_is_there(make: Make, front: Front, mobile: str) -> None:
    front.moods.append(Mood.WELCOME)
    with pytest.raises(UnexpectedAnswer):
        make(front.url).send(mobile, "x")
    assert len(front.seen) == 1
    with pytest.raises(UnexpectedAnswer):
        make(f"{front.url}/elsewhere").ping()


def test_what_would_be_refused_again_is_asked_once(make: Make, front: Front, mobile: str) -> None:
    sms = make(front.url)
    with pytest.raises(errors.BadNumber) as caught:
        sms.send(["020-1", "12"], "x")
    assert caught.value.reply is not None
    assert [each.code for each in caught.value.reply.results] == ["BAD_NUMBER"] * 2
    with pytest.raises(errors.BadRequest) as asked:
        sms.send(mobile, "x", options=Options(business_key="k" * 65))
    assert asked.value.field == "businessKey"
    with pytest.raises(errors.TemplateUnknown):
        sms.send(mobile, template="none", values={"name": "王"})
    with pytest.raises(errors.AuthFailed):
        make(front.url, credentials=Basic("nobody", "wrong")).get_account()
    with pytest.raises(errors.SignatureInvalid):
        make(front.url, credentials=Hmac("nobody", KEY_ID, "w" * 32)).get_account()
    assert len(front.seen) == 5


def test_a_part_that_is_refused(make: Make, world: World, mobile: str) -> None:
    reply = make(world.url).send(["020-1", mobile], "x")
    assert (reply.code, reply.accepted, reply.refused) == ("PARTIAL", 1, 1)
    assert [each.code for each in reply.results] == ["BAD_NUMBER", "OK"]


def test_a_content_travels_encrypted(
    make: Make, world: World, front: Front, mobile: str, ref: str
) -> None:
    sms = make(front.url, content_key=ContentKey(KEY_ID, CONTENT_KEY))
    front.moods.append(Mood.LOSE_ANSWER)
    sms.send([f"+86 {mobile}"], "密码 4711", client_ref=ref)
    assert world.until_sent(mobile) == ["密码 4711"]
    assert all("content" not in each.json() for each in front.sent())
    assert b"4711" not in front.sent()[0].body
    with pytest.raises(ValueError, match="batch"):
        sms.send_batch([Entry(mobile, "密码")])
    with pytest.raises(ValueError, match="template"):
        sms.send(mobile, template="visit", values={"name": "王"})
    wrong = make(world.url, content_key=ContentKey(KEY_ID, bytes(32)))
    with pytest.raises(errors.DecryptFailed):
        wrong.send(mobile, "x")


def test_a_receipt_whose_handler_failed_comes_again(make: Make, world: World, mobile: str) -> None:
    sms = make(world.url)
    drain(sms)
    sms.send_batch([Entry(mobile, "first"), Entry(mobile, "second"), Entry(mobile, "third")])
    until(lambda: len(sms.fetch_receipts().receipts) == 3)
    seen: list[str] = []

    def handler(receipt: Receipt) -> None:
        seen.append(receipt.receipt_id)
        if len(seen) == 2:
            raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        sms.handle_receipts(handler)
    left = [each.receipt_id for each in sms.fetch_receipts().receipts]
    assert len(left) == 2
    assert left[0] == seen[1]
    assert sms.handle_receipts(handler) == 2
    assert sms.fetch_receipts().receipts == ()


def test_receipts_page_by_page(make: Make, world: World, mobile: str) -> None:
    sms = make(world.url)
    drain(sms)
    sms.send_batch([Entry(mobile, f"number {at}") for at in range(5)])
    until(lambda: len(sms.fetch_receipts().receipts) == 5)
    first = sms.fetch_receipts(2)
    assert first.more
    second = sms.fetch_receipts(2, first.cursor)
    assert {each.receipt_id for each in first.receipts}.isdisjoint(
        each.receipt_id for each in second.receipts
    )
    assert sms.ack_receipts(first.cursor) == 2
    assert sms.ack_receipts(receipt_ids=[each.receipt_id for each in second.receipts]) == 2
    seen: list[Receipt] = []
    assert sms.handle_receipts(seen.append, page=1) == 1


def test_a_text_from_a_phone_comes_home(make: Make, world: World, mobile: str) -> None:
    sms = make(world.url)
    world.answer_from(mobile, "明天不来了", sms.get_account().extension)
    seen: list[Inbound] = []
    until(lambda: sms.handle_inbound(seen.append))
    assert [(each.mobile, each.content) for each in seen] == [(mobile, "明天不来了")]
    assert sms.fetch_inbound().inbound == ()
    assert sms.ack_inbound(inbound_ids=[seen[0].inbound_id]) == 0


def test_following_waits_for_an_adapter_that_is_away(world: World, front: Front) -> None:
    signed = Hmac("python-sync", KEY_ID, SECRET)
    stop = threading.Event()
    seen: list[Receipt] = []

    def handler(receipt: Receipt) -> None:
        seen.append(receipt)
        stop.set()

    with Client(front.url, signed, retry=NEVER) as sms:
        sms.handle_receipts(lambda _: None)
        front.is_away = True
        told = len(front.seen)
        following = threading.Thread(
            target=sms.follow, kwargs={"receipts": handler, "stop": stop, "pause_s": 0.02}
        )
        following.start()
        try:
            until(lambda: len(front.seen) >= told + 3)
            front.is_away = False
            sms.send("13911112222", "x")
            assert stop.wait(30)
        finally:
            stop.set()
            following.join(10)
    assert seen[0].mobile == "13911112222"


def test_following_ends_where_asking_again_is_of_no_use(world: World) -> None:
    with (
        Client(world.url, Hmac("nobody", KEY_ID, "w" * 32)) as sms,
        pytest.raises(errors.SignatureInvalid),
    ):
        sms.follow(receipts=print)

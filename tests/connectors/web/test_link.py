"""The link against a provider over real sockets: what is taken, refused, unsent or in doubt."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from connectors.pace import Pacing
from connectors.splitting import split
from connectors.values import Action, Coding, Submit
from connectors.web.link import UNWRITABLE, WebLink
from connectors.web.settings import Call, Format, Result, Submission, Then, WebSettings
from tests.connectors.recorder import Allowance, Recorder, eventually, run, text
from tests.nodes import free_port
from tests.providers import Given, Provider

BODY = '{"to":"${mobile}","text":"${text}","ref":"${ref}"}'
TAKEN = Given(200, b'{"code":"0","id":"A-1"}')


@pytest.fixture
def provider() -> Iterator[Provider]:
    with Provider() as standing:
        yield standing


def result(**changes: Any) -> Result:
    values: dict[str, Any] = {"success": "code", "success_is": ("0",), "id": "id", "code": "code"}
    return Result(**(values | changes))


def settings(url: str, **changes: Any) -> WebSettings:
    """Quick pauses, so that no test has to wait; a test overrides what it is about."""
    values: dict[str, Any] = {
        "name": "web-1",
        "submit": Submission(Call(url, body=BODY), result()),
        "reconnect_min_s": 0.02,
        "reconnect_max_s": 0.05,
        "refused_wait_s": 0.02,
        "response_timeout_s": 10.0,
    }
    return WebSettings(**(values | changes))


@asynccontextmanager
async def standing(
    of: WebSettings, recorder: Recorder | None = None, pace: Pacing | None = None
) -> AsyncIterator[tuple[WebLink, Recorder]]:
    told = recorder or Recorder()
    link = WebLink(of, told, reference=lambda submit: f"R-{submit.token}", pace=pace)
    link.start()
    try:
        await told.until(lambda: told.ups > 0)
        yield link, told
    finally:
        await link.stop(0.1)


def test_a_text_is_taken_and_its_id_comes_back(provider: Provider) -> None:
    provider.serve("/send", lambda _asked: TAKEN)

    async def test() -> None:
        async with standing(settings(provider.url("/send"))) as (link, told):
            link.submit_many([text(1), text(2, payload='"引号"\n'.encode("utf-16-be"))])
            assert not told.answers, "nothing is told from within submit_many"
            await told.until(lambda: len(told.answers) == 2)
            assert {(each.ok, each.id, each.action) for _, each in told.answers} == {
                (True, "A-1", Action.NONE)
            }
            assert (link.free, link.unanswered) == (16, 0)

    run(test())
    bodies = [json.loads(each.body) for each in provider.asked("/send")]
    assert {each["text"] for each in bodies} == {"短信1", '"引号"\n'}
    assert {each["ref"] for each in bodies} == {"R-1", "R-2"}


def test_no_more_requests_go_out_than_the_pace_allows(provider: Provider) -> None:
    provider.serve("/send", lambda _asked: TAKEN)

    async def test() -> None:
        pace = Allowance(2)
        async with standing(settings(provider.url("/send")), pace=pace) as (link, told):
            link.submit_many([text(k) for k in range(5)])
            await told.until(lambda: len(told.answers) == 2)
            assert len(provider.asked("/send")) == pace.spent == 2
            pace.allowed = 5
            await told.until(lambda: len(told.answers) == 5)

    run(test())


@pytest.mark.parametrize(
    ("given", "action", "code"),
    [
        (Given(200, b'{"code":"7"}'), Action.PERMANENT, "7"),
        (Given(200, b'{"code":"8"}'), Action.RETRY, "8"),
        (Given(200, b'{"code":"9"}'), Action.OTHER_CHANNEL, "9"),
        (Given(400, b"no"), Action.PERMANENT, "HTTP 400"),
        (Given(400, b'{"code":"7"}'), Action.PERMANENT, "7"),
        (Given(409, b"no"), Action.RETRY, "HTTP 409"),
        (Given(500, b'{"code":"8"}'), Action.RETRY, "8"),
    ],
)
def test_a_refusal_is_answered_with_what_to_do(
    provider: Provider, given: Given, action: Action, code: str
) -> None:
    provider.serve("/send", lambda _asked: given)
    actions = {"8": Then.RETRY, "9": Then.OTHER_CHANNEL}
    submit = Submission(Call(provider.url("/send"), body=BODY), result(actions=actions))

    async def test() -> None:
        async with standing(settings("", submit=submit)) as (link, told):
            link.submit_many([text(1)])
            await told.until(lambda: bool(told.answers))
            answer = told.answers[0][1]
            assert (answer.ok, answer.code, answer.action) == (False, code, action)

    run(test())


@pytest.mark.parametrize(
    "given",
    [
        Given(500, b"broken"),
        Given(500, b'{"code":"500"}'),
        Given(502),
        Given(200, b"<html>maintenance</html>"),
        Given(200, b'{"state":"fine"}'),
        Given(200, b'{"code":"0","id":"A-1"}', cut=5),
        Given(200, b" " * 2_000_000 + b'{"code":"0"}'),
        Given(200, b"[" * 200_000),
        Given(200, b'{"code":"0"}', headers={"Content-Encoding": "gzip"}),
    ],
)
def test_an_answer_that_tells_nothing_leaves_the_text_in_doubt(
    provider: Provider, given: Given
) -> None:
    provider.serve("/send", lambda _asked: given)

    async def test() -> None:
        async with standing(settings(provider.url("/send"))) as (link, told):
            link.submit_many([text(1)])
            await told.until(lambda: bool(told.lost_tokens))
            assert told.lost_tokens == [1]
            assert not told.answers
            assert not told.unsent_tokens

    run(test())
    assert len(provider.asked("/send")) == 1


BOMB = (
    b'<!DOCTYPE a [<!ENTITY x "lol"><!ENTITY y "&x;&x;&x;&x;&x;&x;&x;&x;">'
    b'<!ENTITY z "&y;&y;&y;&y;&y;&y;&y;&y;">]><r><code>0</code><id>&z;</id></r>'
)


@pytest.mark.parametrize("bomb", [BOMB, BOMB.replace(b'"lol"', b'SYSTEM "file:///etc/passwd"')])
def test_an_xml_bomb_is_not_opened(provider: Provider, bomb: bytes) -> None:
    provider.serve("/send", lambda _asked: Given(200, bomb, "text/xml"))
    call = Call(provider.url("/send"), body="<to>${mobile}</to>", format=Format.XML)
    reading = result(format=Format.XML, success="//code", id="//id", code="//code")

    async def test() -> None:
        async with standing(settings("", submit=Submission(call, reading))) as (link, told):
            link.submit_many([text(1)])
            await told.until(lambda: bool(told.lost_tokens))

    run(test())


def test_a_provider_that_hangs_leaves_the_text_in_doubt_and_comes_back(provider: Provider) -> None:
    silent = threading.Event()
    answers = [Given(200, b"{}", wait_for=silent)] * 3
    provider.serve("/send", lambda _asked: answers.pop() if answers else TAKEN)

    async def test() -> None:
        of = settings(provider.url("/send"), response_timeout_s=0.2, window=4)
        async with standing(of) as (link, told):
            link.submit_many([text(1), text(2), text(3)])
            await told.until(lambda: len(told.downs) == 1)
            assert sorted(told.lost_tokens) == [1, 2, 3]
            assert told.downs == ["no answer in 0.2 s"]
            assert (link.window, link.reconnects) == (0, 0)
            await told.until(lambda: told.ups == 2)
            assert (link.window, link.free) == (1, 1), "one text tries whether it is back"
            link.submit_many([text(4)])
            await told.until(lambda: bool(told.answers))
            assert (link.is_up, link.window) == (True, 4)

    try:
        run(test())
    finally:
        silent.set()


def test_what_was_never_connected_is_unsent() -> None:
    async def test() -> None:
        async with standing(settings(f"http://127.0.0.1:{free_port()}/")) as (link, told):
            link.submit_many([text(k) for k in range(3)])
            await told.until(lambda: len(told.unsent_tokens) == 3)
            assert not told.lost_tokens
            assert told.downs[0].startswith("no connection: ")
            assert link.last_error
            await told.until(lambda: told.ups > 1)

    run(test())


def test_on_a_link_that_is_down_texts_come_back_unsent(provider: Provider) -> None:
    async def test() -> None:
        told = Recorder()
        link = WebLink(settings(provider.url("/send")), told)
        link.submit_many([text(1)])
        await told.until(lambda: told.unsent_tokens == [1])

    run(test())


@pytest.mark.parametrize("status", [429, 503])
def test_a_throttled_link_pauses_and_gives_back(provider: Provider, status: int) -> None:
    answers = [Given(status, b"slow down")]
    provider.serve("/send", lambda _asked: answers.pop() if answers else TAKEN)

    async def test() -> None:
        of = settings(provider.url("/send"), window=1)
        async with standing(of) as (link, told):
            link.submit_many([text(1)])
            await told.until(lambda: told.unsent_tokens == [1])
            assert (link.is_up, link.free) == (True, 0)
            before = len(told.order)
            await told.until(lambda: len(told.order) > before)
            assert told.order[-1] == "unsent", "the pause is over"
            assert link.free == 1
            link.submit_many([text(1)])
            await told.until(lambda: bool(told.answers))
            assert not told.lost_tokens
            assert not told.downs

    run(test())


@pytest.mark.parametrize(
    "given", [Given(401), Given(404), Given(302, headers={"Location": "http://127.0.0.1:9/"})]
)
def test_a_refused_account_brings_the_link_down_and_keeps_the_text(
    provider: Provider, given: Given
) -> None:
    provider.serve("/send", lambda _asked: given)

    async def test() -> None:
        async with standing(settings(provider.url("/send"))) as (link, told):
            link.submit_many([text(1)])
            await told.until(lambda: bool(told.downs))
            assert told.unsent_tokens == [1]
            assert f"HTTP {given.status}" in told.downs[0]

    run(test())


def test_a_stop_waits_for_answers_and_then_leaves_them_in_doubt(provider: Provider) -> None:
    silent = threading.Event()
    provider.serve("/send", lambda _asked: Given(200, b"{}", wait_for=silent))

    async def test() -> None:
        told = Recorder()
        async with standing(settings(provider.url("/send")), told) as (link, _):
            link.submit_many([text(1)])
            await asyncio.to_thread(provider.wait_for, "/send", 1)
        assert told.lost_tokens == [1]
        assert told.downs == ["stopped"]

    try:
        run(test())
    finally:
        silent.set()


def test_several_recipients_of_one_text_go_together(provider: Provider) -> None:
    provider.serve("/send", lambda _asked: Given(200, b'{"code":"0","id":"T-9"}'))
    call = Call(provider.url("/send"), format=Format.FORM, fields=(("to", "${mobiles}"),))
    submit = Submission(call, result(), batch=3)

    async def test() -> None:
        of = settings("", submit=submit, id_with_mobile=True, window=9)
        async with standing(of) as (link, told):
            same = "同文".encode("utf-16-be")
            numbers = ["13800138000", "13800138001", "13800138002", "13800138003"]
            link.submit_many([text(k, to, same) for k, to in enumerate(numbers)])
            await told.until(lambda: len(told.answers) == 4)
            assert {each.id for _, each in told.answers} == {f"T-9:{to}" for to in numbers}

    run(test())
    asked = [each.form()["to"] for each in provider.asked("/send")]
    assert sorted(asked) == ["13800138000,13800138001,13800138002", "13800138003"]


def test_entries_have_their_own_texts_and_answers(provider: Provider) -> None:
    provider.serve(
        "/send",
        lambda _asked: Given(
            200,
            b'{"code":"0","list":[{"to":"8613800138001","id":"X2"},'
            b'{"to":"13800138000","id":"","code":"5"}]}',
        ),
    )
    call = Call(provider.url("/send"), body='{"all":[${entries}]}')
    reading = result(each="list", mobile="to")
    submit = Submission(call, reading, batch=9, entry='{"to":"${mobile}","text":"${text}"}')

    async def test() -> None:
        async with standing(settings("", submit=submit)) as (link, told):
            link.submit_many([text(0), text(1, "13800138001"), text(2, "13800138002")])
            await told.until(lambda: len(told.answers) == 2)
            by_token = dict(told.answers)
            assert (by_token[1].ok, by_token[1].id) == (True, "X2")
            assert (by_token[0].ok, by_token[0].code) == (False, "5")
            assert told.lost_tokens == [2], "the answer does not tell of it"

    run(test())
    (asked,) = provider.asked("/send")
    assert [each["text"] for each in json.loads(asked.body)["all"]] == ["短信0", "短信1", "短信2"]


def test_segments_go_without_their_header(provider: Provider) -> None:
    provider.serve("/send", lambda _asked: TAKEN)
    call = Call(provider.url("/send"), body='{"t":"${text}","n":"${part}/${parts}"}')
    content = "长短信" * 40
    made = split(content, reference=7)

    async def test() -> None:
        async with standing(settings("", submit=Submission(call, result()), window=1)) as (
            link,
            told,
        ):
            link.submit_many(
                [
                    Submit("1069", "13800138000", each, Coding.UCS2, True, 2, k, True, k)
                    for k, each in enumerate(made.payloads, 1)
                ]
            )
            await told.until(lambda: len(told.answers) == 2)

    run(test())
    bodies = [json.loads(each.body) for each in provider.asked("/send")]
    assert "".join(each["t"] for each in bodies) == content
    assert [each["n"] for each in bodies] == ["1/2", "2/2"]


def test_a_gbk_form_and_what_gbk_lacks(provider: Provider) -> None:
    provider.serve(
        "/send", lambda _asked: Given(200, "<r><code>0</code><id>8</id></r>".encode("gbk"))
    )
    call = Call(
        provider.url("/send"), format=Format.FORM, charset="gbk", fields=(("c", "${text}"),)
    )
    reading = result(format=Format.XML, success="//code", code="//code", id="//id", charset="gbk")

    async def test() -> None:
        async with standing(settings("", submit=Submission(call, reading))) as (link, told):
            link.submit_many([text(1), text(2, payload="😀".encode("utf-16-be"))])
            await told.until(lambda: len(told.answers) == 2)
            by_token = dict(told.answers)
            assert (by_token[1].ok, by_token[1].id) == (True, "8")
            assert (by_token[2].code, by_token[2].action) == (UNWRITABLE, Action.PERMANENT)

    run(test())
    assert [each.form("gbk")["c"] for each in provider.asked("/send")] == ["短信1"]


def test_a_ping_must_go_well_first(provider: Provider) -> None:
    balance = ["0"]
    provider.serve("/balance", lambda _asked: Given(200, b'{"code":"%s"}' % balance[0].encode()))
    of = settings(
        provider.url("/send"),
        ping=Call(provider.url("/balance"), method="GET"),
        ping_result=result(id="", otherwise=Then.CLOSE),
        ping_every_s=0.05,
    )

    async def test() -> None:
        async with standing(of) as (link, told):
            balance[0] = "12"
            await told.until(lambda: bool(told.downs))
            assert told.downs[0] == "ping: 12"
            balance[0] = "0"
            await told.until(lambda: told.ups == 2)
            await eventually(lambda: link.window == 16)

    run(test())


def test_a_long_pause_brings_the_link_down(provider: Provider) -> None:
    answers = [Given(503, headers={"Retry-After": "20"})]
    provider.serve("/send", lambda _asked: answers.pop() if answers else TAKEN)

    async def test() -> None:
        async with standing(settings(provider.url("/send"))) as (link, told):
            link.submit_many([text(1)])
            await told.until(lambda: bool(told.downs))
            assert told.downs == ["the provider asks for a pause of 20 s"]
            assert (told.unsent_tokens, link.is_up) == ([1], False)

    run(test())


def test_a_pause_that_is_no_number_is_our_own(provider: Provider) -> None:
    answers = [Given(503, headers={"Retry-After": "²"})]
    provider.serve("/send", lambda _asked: answers.pop() if answers else TAKEN)

    async def test() -> None:
        async with standing(settings(provider.url("/send"))) as (link, told):
            link.submit_many([text(1)])
            # When the pause is over it says so, with nothing.
            await told.until(lambda: told.order.count("unsent") == 2)
            assert (told.unsent_tokens, link.is_up) == ([1], True)

    run(test())

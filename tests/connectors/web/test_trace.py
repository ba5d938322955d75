"""A web channel's trace: requests and answers by method, path, status and size alone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from connectors.trace import Trace, Way
from connectors.trace_view import shown
from connectors.web.link import WebLink
from connectors.web.requests import Requests
from connectors.web.settings import Call, Format, Submission
from tests.connectors.recorder import Recorder, run, text
from tests.connectors.web.test_link import BODY, TAKEN, result, settings
from tests.providers import Given, Provider


@pytest.fixture
def provider() -> Iterator[Provider]:
    with Provider() as standing:
        yield standing


def test_requests_and_answers(provider: Provider) -> None:
    provider.serve("/v1/send", lambda _asked: TAKEN)
    provider.serve("/v1/refused", lambda _asked: Given(500, b"13800138000"))

    async def test() -> None:
        for path in ("send", "refused"):
            told, trace = Recorder(), Trace(10)
            call = Call(provider.url(f"/v1/{path}?key=s3cret"), body=BODY)
            of = settings("", submit=Submission(call, result()))
            link = WebLink(of, told, reference=lambda _submit: "R", trace=trace)
            link.start()
            await told.until(lambda told=told: told.ups > 0)  # type: ignore[misc]
            link.submit_many([text(1)])
            await told.until(lambda told=told: bool(told.answers or told.lost_tokens))  # type: ignore[misc]
            await link.stop(0.1)
            sent, received = shown(trace)
            assert (sent.way, sent.link, sent.name) == (Way.SENT, "web-1", f"POST /v1/{path}")
            assert (sent.octets > 40, received.way) == (True, Way.RECEIVED)
            status = 200 if path == "send" else 500
            assert received.name == f"POST /v1/{path}: {status}"

    run(test())


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("https://a.example/sms/send?mobile=${mobile}&key=abc", "/sms/send"),
        ("https://a.example/v2.1/${mobile}/messages", "/v2.1/${mobile}/messages"),
        ("https://a.example/AC3f9d0b21aa77/Send2", "/****/Send2"),
        ("https://a.example/13800138000", "/****"),
        ("https://a.example/aVeryLongWordThatCouldBeAToken/x", "/****/x"),
        ("https://a.example", ""),
    ],
)
def test_only_words_of_a_path_are_shown(url: str, path: str) -> None:
    requests = Requests(Call(url, format=Format.QUERY), ["mobile"], None)
    made = requests.make({"mobile": "13800138000"})
    assert made.path == path

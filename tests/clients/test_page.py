"""The examples of docs/integrator/soap.md that need no toolkit, or zeep, run as they stand but for
address, account and password."""

from __future__ import annotations

import contextlib
import io
import re
import subprocess

import pytest
import requests
from lxml import etree

from adapter.contract import NS
from tests.clients.conftest import Live
from tests.clients.toolkits import PAGE, sections
from tests.nodes import PASSWORD

ADDRESS = "http://127.0.0.1:8080"


def example(language: str, opening: str) -> str:
    """The block of the page that begins so."""
    fence = re.compile(rf"^```{language}\n(.*?)^```", re.MULTILINE | re.DOTALL)
    blocks = fence.findall(PAGE.read_text("utf-8"))
    (found,) = (block for block in blocks if block.startswith(opening))
    return str(found)


def first_message() -> tuple[str, str]:
    """Content-Type and body."""
    head, _, body = example("xml", "POST ").partition("\n\n")
    _, kind = head.splitlines()
    body = body.replace("<account>his<", "<account>page<").replace("his-demo", PASSWORD)
    return kind.removeprefix("Content-Type: "), body


def post(live: Live, kind: str, body: str) -> etree._Element:
    headers = {"Content-Type": kind}
    return etree.fromstring(
        requests.post(f"{live.url}/soap", body.encode(), headers=headers, timeout=30).content
    )


@pytest.mark.slow
def test_the_first_message(live: Live) -> None:
    reply = post(live, *first_message())
    assert [each.text for each in reply.iter(f"{{{NS}}}code")] == ["OK", "OK"]


@pytest.mark.slow
def test_a_refusal(live: Live) -> None:
    """The detail is that of the page, to the letter."""
    kind, body = first_message()
    reply = post(live, kind, body.replace("</Recipient>", "</Recipient><Recipient/>"))
    (told,) = reply.iter(f"{{{NS}}}ExchangeFault")
    shown = etree.fromstring(example("xml", "<ExchangeFault"))
    assert [(each.tag, each.text) for each in told] == [(each.tag, each.text) for each in shown]


@pytest.mark.slow
def test_zeep_in_a_few_lines(live: Live) -> None:
    code = example("python", "import zeep").replace(ADDRESS, live.url)
    code = code.replace(
        'account="his", password="his-demo"', f'account="page", password="{PASSWORD}"'
    )
    code = code.replace("OP-20260301-0001", "OP-20260301-0002")
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code, str(PAGE), "exec"), {})
    assert re.fullmatch(r"OK \d+ \d+\n", printed.getvalue())


@pytest.mark.slow
def test_without_a_toolkit(live: Live) -> None:
    (block,) = sections()["Without a toolkit"]
    command = block.replace(ADDRESS, live.url).replace(">his<", ">page<")
    command = command.replace("his-demo", PASSWORD)
    done = subprocess.run(["bash", "-euc", command], capture_output=True, text=True, timeout=60)
    answer = etree.fromstring(done.stdout.encode())
    (words,) = (each.text or "" for each in answer.iter(f"{{{NS}}}SendTextResult"))
    assert re.fullmatch(r"OK;\d+;2 accepted", words)

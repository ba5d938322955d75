"""A client of each toolkit, made of the live WSDL without a warning, calls every operation."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.clients.conftest import Live
from tests.clients.steps import TEXTS, expected, read
from tests.clients.toolkits import TOOLKITS, Client, Toolkit, sections
from tests.nodes import PASSWORD, until


def unknown(lines: Sequence[str], known: Sequence[str]) -> list[str]:
    return [line for line in lines if not any(re.fullmatch(each, line) for each in known)]


@pytest.mark.slow
@pytest.mark.parametrize("toolkit", TOOLKITS, ids=lambda toolkit: toolkit.id)
def test_a_client_calls_every_operation(toolkit: Toolkit, live: Live, tmp_path: Path) -> None:
    account = toolkit.id
    client = Client(toolkit, tmp_path, toolkit.commands(live.url, account, PASSWORD))
    assert not unknown(client.make(), toolkit.complaints)
    live.send_reply(account)

    done = client.run()

    assert not unknown(done.stderr.splitlines(), toolkit.murmurs)
    assert done.returncode == 0
    assert read(done.stdout) == expected(account, cannot_decline=toolkit.cannot_decline)
    until(lambda: len(live.texts(account)) == len(TEXTS), "every text is at the carrier")
    assert live.texts(account) == TEXTS
    assert live.stored(account, "lane", "client_ref IS NOT NULL") == ["realtime"]
    assert live.stored(account, "receipt", "business_key = 'A-7'") == [toolkit.cannot_decline]


def test_every_toolkit_of_the_page_is_tried() -> None:
    described = {heading for heading, blocks in sections().items() if blocks}
    assert described == {toolkit.heading for toolkit in TOOLKITS} | {"Without a toolkit"}

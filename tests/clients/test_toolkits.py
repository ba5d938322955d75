"""A client of each toolkit, made of the live WSDL without a warning, calls every operation."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.clients.conftest import Live
from tests.clients.steps import TEXTS, expected, read
from tests.clients.toolkits import TOOLKITS, Bench, Toolkit
from tests.nodes import PASSWORD, until


def unknown(lines: Sequence[str], known: Sequence[str]) -> list[str]:
    return [line for line in lines if not any(re.fullmatch(each, line) for each in known)]


@pytest.mark.slow
@pytest.mark.parametrize("toolkit", TOOLKITS, ids=lambda toolkit: toolkit.id)
def test_a_client_calls_every_operation(toolkit: Toolkit, live: Live, tmp_path: Path) -> None:
    account = toolkit.id
    bench = Bench(tmp_path, live.url, f"{live.url}/{toolkit.path}?wsdl")
    command = toolkit.make(bench)
    assert not unknown(bench.complaints, toolkit.complaints)
    live.send_reply(account)

    done = subprocess.run(
        [*map(str, command), account, PASSWORD],
        cwd=tmp_path,
        env=os.environ | {"LC_ALL": "C.UTF-8"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=90,
    )

    assert not unknown(done.stderr.splitlines(), toolkit.murmurs)
    assert done.returncode == 0
    assert read(done.stdout) == expected(account, cannot_decline=toolkit.cannot_decline)
    until(lambda: len(live.texts(account)) == len(TEXTS), "every text is at the carrier")
    assert live.texts(account) == TEXTS
    assert live.stored(account, "lane", "client_ref IS NOT NULL") == ["realtime"]
    assert live.stored(account, "receipt", "business_key = 'A-7'") == [toolkit.cannot_decline]

"""Interoperation with node's `soap`, which nobody here wrote: a client's service made from our
callback WSDL."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from adapter.callbacks.forms import form_of
from adapter.callbacks.target import NotTakenError, Target
from adapter.config.model import Callback
from adapter.domain.values import Home
from adapter.doors.shapes import Shapes
from tests.callbacks.test_forms import RECEIPT, REPLY, ROOT
from tests.callbacks.words import WORDING
from tests.connectors.recorder import run
from tests.nodejs import packages, running


@pytest.fixture(scope="module")
def scripts() -> Path:
    return packages(Path(__file__).parent / "node")


def test_node_as_a_clients_service(scripts: Path) -> None:
    async def test() -> None:
        async with running(scripts / "server.js", str(ROOT / "wsdl/callback.wsdl")) as server:
            (listening,) = await server.until("listening")
            url = f"http://127.0.0.1:{listening['port']}/sms/events"
            callback = Callback("his", url, "soap")
            target = Target(callback, form_of(callback, WORDING, Shapes()), time.time)
            events: list[Home] = [RECEIPT, REPLY]
            for told in ("a SOAP fault: soap:Server", "the answer says LATER"):
                with pytest.raises(NotTakenError, match=told):
                    await target.bring(events)
            await target.bring(events)
            (receipt,), (text,) = await server.until("receipt"), await server.until("inbound")
            await target.close()
        assert receipt["receiptId"] == str(RECEIPT.id)
        assert receipt["passThrough"] == "a<b"
        assert receipt["description"] == "发送成功"
        assert text["content"] == 'no <b> & "c"   \n好😀'
        assert text["clientRef"] == "OP-1"

    run(test())

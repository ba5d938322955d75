"""Interoperation with PyPI's CMPP clients, which nobody here wrote, against our server role.

Each runs in a process of its own. docs/interoperation.md says what they cannot do.
"""

from __future__ import annotations

import asyncio
import json
import sys
from asyncio.subprocess import DEVNULL, PIPE
from typing import Any

from connectors.behaviour import Behaviour
from connectors.simulator import Simulator
from tests.connectors.recorder import ACCOUNT, PASSWORD, PATIENCE_S, carrier, run

PHONE = "13800138000"
WORDS = "检查报告已出，请到门诊楼三层自助机打印。" * 6

CMPPY = """
import contextlib, io, json, sys
from cmppy import Cmppy, SubmitReq

port, account, password, phone, words = sys.argv[1:]
with contextlib.redirect_stdout(io.StringIO()):  # it prints every frame
    request = SubmitReq(account, words, "10690000", [phone], registered_delivery=1)
    answer = Cmppy("127.0.0.1", int(port), account, password).request(request)
print(json.dumps(None if answer is None else [f"{answer.msg_id:016x}", answer.result]))
"""
"""Logs in, submits one text, takes leave; prints the answer's id and result, null when refused."""

PYCMPP = """
import json, logging, queue, sys, threading
from pycmpp.cmpp import Cmpp
from pycmpp.cmpp_defines import CMPP_ACTIVE_TEST_RESP, CMPP_CONNECT_RESP, CMPP_SUBMIT_RESP
from pycmpp.request import ActiveTestRequestInstance
from pycmpp.response import ConnectResponseInstance, SubmitResponseInstance

port, account, password, phone, *texts = sys.argv[1:]
logging.disable()
got = queue.Queue()
client = Cmpp(
    "127.0.0.1", int(port), account, password, "10690000", delivery=1, client_heartbeat=False
)

def noting(command, read):
    client.handlers[command] = lambda _, message: lambda: got.put(read(message))

def login(message):
    answer = ConnectResponseInstance()
    answer.resolve(message)
    return answer.status

def submitted(message):
    answer = SubmitResponseInstance()
    answer.resolve(message)
    return [f"{answer.msg_id:016x}", answer.status]

noting(CMPP_CONNECT_RESP, login)
noting(CMPP_SUBMIT_RESP, submitted)
noting(CMPP_ACTIVE_TEST_RESP, lambda message: "alive")
threading.Thread(target=client.run, daemon=True).start()
answers = [got.get(timeout=15)]
if answers[0] == 0:
    client.send(ActiveTestRequestInstance().create())
    answers.append(got.get(timeout=15))
    for text in texts:
        client.submit(text, [phone])
        parts = 1 if len(text) < 70 else -(-len(text) // 64)
        answers += [got.get(timeout=15) for _ in range(parts)]
    client.terminate()
print(json.dumps(answers))
"""
"""Logs in, asks if the server lives, submits the texts, takes leave; prints the login's status,
`alive`, and each submit's id and result."""


async def printed(program: str, simulator: Simulator, password: str, *texts: str) -> Any:
    """What the program printed, as the account of the tests."""
    arguments = (str(simulator.port), ACCOUNT, password, PHONE, *texts)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, *arguments, stdout=PIPE, stderr=DEVNULL
    )
    try:
        async with asyncio.timeout(PATIENCE_S):
            out, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return json.loads(out)


def test_cmppy() -> None:
    """No receipts: it reads up to four octets too many after each length, so that a frame which
    follows close upon an answer is taken apart."""

    async def test() -> None:
        simulator = carrier(behaviour=Behaviour(receipts=False))
        await simulator.start()
        msg_id, result = await printed(CMPPY, simulator, PASSWORD, "检查报告已出")
        assert result == 0
        line = simulator.events("submit")[0]
        assert (line["id"], line["text"], line["coding"]) == (msg_id, "检查报告已出", 8)
        assert (line["source"], line["destination"]) == ("10690000", PHONE)
        await simulator.wait_for("close")
        assert simulator.events("login")[0]["version"] == "3.0"
        assert simulator.events("close")[0]["reason"] == "the client took leave"
        await simulator.stop()

    run(test())


def test_cmppy_with_a_wrong_password_is_refused() -> None:
    async def test() -> None:
        simulator = carrier()
        await simulator.start()
        assert await printed(CMPPY, simulator, "wrong", "检查报告已出") is None
        assert not simulator.events("submit")
        await simulator.stop()

    run(test())


def test_pycmpp() -> None:
    """It has no DELIVER: what it leaves unanswered comes again on the account's next link."""

    async def test() -> None:
        simulator = carrier()
        await simulator.start()
        words = ("检查报告已出", WORDS)
        login, alive, *answers = await printed(PYCMPP, simulator, PASSWORD, *words)
        assert (login, alive) == (0, "alive")
        short, *parts = simulator.events("submit")
        assert [[line["id"], 0] for line in (short, *parts)] == answers
        assert (short["text"], short["destination"]) == ("检查报告已出", PHONE)
        assert len(parts) > 1
        assert "".join(part["text"] for part in parts) == WORDS
        assert [part["number"] for part in parts] == list(range(1, len(parts) + 1))
        assert {part["reference"] for part in parts} == {parts[0]["reference"]}
        await simulator.wait_for("close")
        assert simulator.events("login")[0]["version"] == "2.1"  # the frames are 2.0's
        await simulator.wait_for("receipt", len(answers))
        assert await printed(PYCMPP, simulator, PASSWORD) == [0, "alive"]
        await simulator.wait_for("receipt", 2 * len(answers))
        again = [line for line in simulator.events("receipt") if line["again"]]
        assert {line["id"] for line in again} == {msg_id for msg_id, _ in answers}
        await simulator.stop()

    run(test())


def test_pycmpp_with_a_wrong_password_is_refused() -> None:
    async def test() -> None:
        simulator = carrier()
        await simulator.start()
        assert await printed(PYCMPP, simulator, "wrong", WORDS) == [3]  # authentication error
        assert not simulator.events("submit")
        await simulator.stop()

    run(test())

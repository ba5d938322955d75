"""A node that dies while clients send through the doors that stay open: what was answered is kept,
and its receipt is pushed to whoever comes back."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from connectors.link import Link
from connectors.settings import LinkSettings
from connectors.splitting import split
from connectors.values import Submit
from tests.connectors.recorder import Recorder, run
from tests.doors.wire import SocketClient, name, text, texts
from tests.node.test_open_doors import SECRET, WANTED, send
from tests.nodes import ACCESS_NUMBER, HOST, PASSWORD, Carrier, Node, Setup, free_port

pytestmark = [pytest.mark.crash, pytest.mark.slow]


def prepared(folder: Path, carrier: Carrier, sections: str) -> Node:
    setup = Setup(folder, f"sqlite:///{folder}/a.db", carrier.port, policies=sections)
    config = setup.write()
    client = '<client account="web"'
    written = config.read_text(encoding="utf-8")
    config.write_text(written.replace(client, f'{client} cmpp-secret="{SECRET}"'), encoding="utf-8")
    return Node(config, setup.web_port)


def test_what_the_socket_door_answered_is_reported_after_a_death(tmp_path: Path) -> None:
    port = free_port()
    sections = (
        f'<socket port="{port}"/>'
        '<policies><lane name="normal" doubt="resend" doubt-wait="500ms"/></policies>'
    )
    with Carrier() as carrier, prepared(tmp_path, carrier, sections) as node:
        node.start()
        made: set[str | None] = set()
        told: set[str | None] = set()
        with SocketClient(port) as client:
            client.log_in("web", PASSWORD)
            for number in range(300):
                document = send(f"13800{number:06}")
                client.write(document.replace("<Send ", f'<Send id="{number}" ', 1))
            while len(made) < 60:
                made.add(text(client.read(), "messageId"))
            node.kill()
            try:
                while True:
                    made.add(text(client.read(), "messageId"))
            except (EOFError, ConnectionError):
                pass
        node.start()
        with SocketClient(port) as client:
            client.log_in("web", PASSWORD, WANTED)
            while not made <= told:
                push = client.read()
                assert name(push) == "Push"
                assert set(texts(push, "state")) == {"DELIVERED"}
                told.update(texts(push, "messageId"))
                client.acknowledge(push)


def test_a_part_that_was_answered_finds_the_rest_after_a_death(tmp_path: Path) -> None:
    port = free_port()
    cut = split("检查前请空腹" * 30, reference=4)
    total = len(cut.payloads)

    async def bring(numbers: list[int]) -> Recorder:
        """Submit these parts; wait for their answers, and with the last one for the reports."""
        handler = Recorder()
        link = Link(LinkSettings("cmpp", "3.0", HOST, port, "web", SECRET), handler)
        link.start()
        await handler.until(lambda: handler.ups > 0)
        for number in numbers:
            payload = cut.payloads[number - 1]
            link.submit(
                Submit(
                    ACCESS_NUMBER, "13900139000", payload, cut.coding, True, total, number, True, 0
                )
            )
        await handler.until(lambda: len(handler.answers) == len(numbers))
        if total in numbers:
            await handler.until(lambda: len(handler.reports) == total)
        await link.stop(0.1)
        return handler

    with Carrier() as carrier, prepared(tmp_path, carrier, f'<cmpp-server port="{port}"/>') as node:
        ids: list[str] = []

        async def test() -> None:
            first = await bring([1])
            await asyncio.to_thread(node.kill)
            await asyncio.to_thread(node.start)
            last = await bring(list(range(2, total + 1)))
            ids.extend(answer.id for each in (first, last) for _, answer in each.answers)
            assert sorted(each.id for each in last.reports) == sorted(ids)

        node.start()
        run(test())
        assert len(set(ids)) == total == len(carrier.taken())

"""A whole node with its socket and CMPP doors: texts go out, reports come back, nothing is lost
with a connection."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import requests
from lxml import etree

from adapter.contract import NS
from connectors.link import Link
from connectors.settings import LinkSettings
from connectors.splitting import split
from connectors.values import Coding, Submit
from tests.connectors.recorder import Recorder, run
from tests.doors.wire import SocketClient, name, text, texts
from tests.nodes import ACCESS_NUMBER, HOST, PASSWORD, ROOT, Carrier, Node, Setup, free_port, until

SECRET = "cmpp-secret-2"
WANTED = "<receipts>true</receipts><inbound>true</inbound>"


def examples(page: str, language: str) -> list[str]:
    """The examples of a page of docs/integrator, for the client of these tests."""
    text = (ROOT / "docs/integrator" / page).read_text(encoding="utf-8")
    found = re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)
    return [
        example.replace("<account>his<", "<account>web<")
        .replace('account="his"', 'account="web"')
        .replace('"his", "his-demo"', f'"web", "{SECRET}"')
        .replace("his-demo", PASSWORD)
        .replace("10690000123401", ACCESS_NUMBER + "02")
        for example in found
    ]


def carried_out(example: str) -> list[str]:
    """The lines that a Python example prints."""
    done = subprocess.run(
        [sys.executable, "-c", example],
        capture_output=True,
        text=True,
        timeout=60,
        env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


class Doors:
    """A node, its carrier and its two doors."""

    def __init__(self, node: Node, carrier: Carrier, socket_port: int, cmpp_port: int) -> None:
        self.node = node
        self.carrier = carrier
        self.socket_port = socket_port
        self.cmpp_port = cmpp_port

    def enter(self, more: str = "") -> SocketClient:
        client = SocketClient(self.socket_port)
        assert name(client.log_in("web", PASSWORD, more)) == "LoginResponse"
        return client

    def link(self, recorder: Recorder, number: int = 1) -> Link:
        settings = LinkSettings(
            "cmpp", "3.0", HOST, self.cmpp_port, "web", SECRET, number=number, window=64
        )
        return Link(settings, recorder)


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    folder = tmp_path_factory.mktemp("open-doors")
    ports = free_port(), free_port()
    sections = (
        f'<socket port="{ports[0]}" connections-per-client="600"/>'
        f'<cmpp-server port="{ports[1]}" connections-per-client="250" part-wait="2s"/>'
    )
    with Carrier() as carrier:
        setup = Setup(folder, f"sqlite:///{folder}/a.db", carrier.port, policies=sections)
        config = setup.write()
        written = config.read_text(encoding="utf-8")
        client = '<client account="web"'
        config.write_text(
            written.replace(client, f'{client} cmpp-secret="{SECRET}"'), encoding="utf-8"
        )
        with Node(config, setup.web_port) as node:
            yield Doors(node.start(), carrier, *ports)
            assert node.stop() == 0


def send(mobile: str, content: str = "您的报告已出") -> str:
    return (
        f'<Send xmlns="{NS}"><request><content>{content}</content>'
        f"<recipients><Recipient><mobile>{mobile}</mobile></Recipient></recipients>"
        "</request></Send>"
    )


def test_a_receipt_that_was_not_acknowledged_is_pushed_again_after_a_fall(doors: Doors) -> None:
    with doors.enter(WANTED) as client:
        made = text(client.ask(send("13800138000")), "messageId")
        first = client.read()
        assert (name(first), texts(first, "messageId")) == ("Push", [made])
        assert text(first, "state") == "DELIVERED"
    with doors.enter(WANTED) as client:
        again = client.read()
        assert text(again, "receiptId") == text(first, "receiptId")
        client.acknowledge(again)
        doors.carrier.send_inbound("13800138000", ACCESS_NUMBER + "02", "收到")
        reply = client.read()
        assert (text(reply, "content"), text(reply, "messageId")) == ("收到", made)
        client.acknowledge(reply)
    with doors.enter() as client:
        empty = "<request><max>10</max></request>"
        until(
            lambda: (
                not texts(
                    client.ask(f'<FetchReceipts xmlns="{NS}">{empty}</FetchReceipts>'), "Receipt"
                )
            )
        )


def test_a_batch_comes_back_whole(doors: Doors) -> None:
    entries = "".join(
        f"<Entry><mobile>138002{number:05}</mobile><content>第{number}号</content></Entry>"
        for number in range(1_000)
    )
    with doors.enter(WANTED) as client:
        client.write(
            f'<SendBatch xmlns="{NS}" id="b"><request><entries>{entries}</entries></request>'
            "</SendBatch>"
        )
        sent: list[str | None] = []
        told: list[str | None] = []
        while len(told) < 1_000 or not sent:
            document = client.read()
            if document.get("id") == "b":
                sent = texts(document, "messageId")
            else:
                told += texts(document, "messageId")
                client.acknowledge(document)
        assert sorted(map(str, told)) == sorted(map(str, sent))


def test_a_long_text_by_cmpp_is_reported_part_by_part(doors: Doors) -> None:
    content = "检查前请空腹" * 30
    source = ACCESS_NUMBER + "02"

    async def test() -> None:
        handler = Recorder()
        link = doors.link(handler)
        link.start()
        await handler.until(lambda: handler.ups > 0)
        cut = split(content, reference=9)
        for number, payload in enumerate(cut.payloads, 1):
            link.submit(
                Submit(
                    source,
                    "13900139000",
                    payload,
                    cut.coding,
                    True,
                    len(cut.payloads),
                    number,
                    True,
                    number,
                )
            )
        await handler.until(lambda: len(handler.reports) == len(cut.payloads))
        assert {each.id for each in handler.reports} == {answer.id for _, answer in handler.answers}
        assert {each.stat for each in handler.reports} == {"DELIVRD"}
        await link.stop(1.0)

    run(test())
    went = [each for each in doors.carrier.taken() if each["destination"] == "13900139000"]
    assert "".join(str(each["text"]) for each in sorted(went, key=lambda e: e["number"])) == content


def test_a_part_that_stays_alone_expires_and_is_never_sent(doors: Doors) -> None:
    async def test() -> None:
        handler = Recorder()
        link = doors.link(handler)
        link.start()
        await handler.until(lambda: handler.ups > 0)
        cut = split("您" * 100, reference=3)
        link.submit(
            Submit(ACCESS_NUMBER, "13900139009", cut.payloads[0], cut.coding, True, 2, 1, True, 1)
        )
        await handler.until(lambda: bool(handler.reports))
        (report,) = handler.reports
        assert (report.id, report.stat) == (handler.answers[0][1].id, "EXPIRED")
        await link.stop(1.0)

    run(test())
    assert not [each for each in doors.carrier.taken() if each["destination"] == "13900139009"]


def test_a_report_by_cmpp_comes_again_after_a_fall(doors: Doors) -> None:
    async def test() -> None:
        silent = Recorder(acknowledge=False)
        link = doors.link(silent)
        link.start()
        await silent.until(lambda: silent.ups > 0)
        payload = "您好".encode("utf-16-be")
        cut = split("您好")
        link.submit(Submit(ACCESS_NUMBER, "13900139001", payload, cut.coding, False, 1, 1, True, 1))
        await silent.until(lambda: bool(silent.reports))
        await link.stop(0.0)
        handler = Recorder()
        link = doors.link(handler)
        link.start()
        await handler.until(lambda: bool(handler.reports))
        assert handler.reports[0].id == silent.answers[0][1].id
        await link.stop(1.0)

    run(test())


def test_the_soap_pages_request_is_taken_and_its_fault_is_what_comes(doors: Doors) -> None:
    request, fault = examples("soap.md", "xml")
    head, _, body = request.partition("\n\n")
    line, *headers = head.splitlines()
    assert line == "POST /soap HTTP/1.1"
    named = dict(header.split(": ", 1) for header in headers)
    url = f"{doors.node.url}/soap"
    answer = requests.post(url, body.encode(), headers=named, timeout=30)
    assert etree.fromstring(answer.content).findtext(".//{*}code") == "OK"
    recipients = body[body.index("<Recipient>") : body.index("</recipients>")]
    wrong = body.replace(recipients, recipients + "<Recipient/>").replace("0001<", "0002<")
    answer = requests.post(url, wrong.encode(), headers=named, timeout=30)
    assert answer.status_code == 500
    (told,) = etree.fromstring(answer.content).iter("{*}ExchangeFault")
    shown = etree.fromstring(fault)
    assert [(each.tag, each.text) for each in told] == [(each.tag, each.text) for each in shown]


def test_the_soap_pages_client_works(doors: Doors) -> None:
    (example,) = examples("soap.md", "python")
    (told,) = carried_out(example.replace("http://127.0.0.1:8080", doors.node.url))
    code, submission, message = told.split()
    assert code == "OK"
    assert submission.isdigit()
    assert message.isdigit()


def test_the_socket_pages_documents_are_taken(doors: Doors) -> None:
    login, request, push = examples("socket.md", "xml")
    with SocketClient(doors.socket_port) as client:
        assert name(client.ask(login)) == "LoginResponse"
        client.write(request)
        documents = [client.read(), client.read()]
        reply, pushed = sorted(documents, key=name, reverse=True)
        client.acknowledge(pushed)
        assert (name(reply), text(reply, "code")) == ("SendResponse", "OK")
        shown = {each.tag for each in etree.fromstring(push).iter()}
        assert shown <= {each.tag for each in pushed.iter()}


def test_the_socket_pages_client_works(doors: Doors) -> None:
    (example,) = examples("socket.md", "python")
    sent, receipt = carried_out(example.replace("8090", str(doors.socket_port)))
    assert (sent, receipt.split()[1]) == ("1 OK", "DELIVERED")


def test_the_cmpp_pages_client_works(doors: Doors) -> None:
    (example,) = examples("cmpp.md", "python")
    answered, report = carried_out(example.replace("7891", str(doors.cmpp_port)))[:2]
    token, made, ok = answered.split()
    assert (token, ok) == ("OP-20260301-0001", "True")
    assert report == f"{made} DELIVRD"


@pytest.mark.slow
def test_500_idle_clients_and_200_of_cmpp_while_texts_flow(doors: Doors) -> None:
    """A batch goes out and its receipts come back, by each of the doors; who was idle is still
    there afterwards."""

    async def links() -> None:
        handler = Recorder()
        held = [doors.link(handler, number) for number in range(200)]
        for link in held:
            link.start()
        await handler.until(lambda: handler.ups == 200)
        await asyncio.to_thread(traffic)
        for number in range(200):
            payload = "您好".encode("utf-16-be")
            to = f"138001{number:05}"
            held[number].submit(
                Submit(ACCESS_NUMBER, to, payload, Coding.UCS2, False, 1, 1, True, number)
            )
        # Reports come over any of the client's connections.
        await handler.until(lambda: len(handler.reports) == 200)
        assert handler.downs == []
        await asyncio.gather(*(link.stop(0.0) for link in held))

    def traffic() -> None:
        entries = "".join(
            f"<Entry><mobile>138004{number:05}</mobile><content>请准时</content></Entry>"
            for number in range(2_000)
        )
        with doors.enter(WANTED) as client:
            client.write(
                f'<SendBatch xmlns="{NS}" id="b"><request><entries>{entries}</entries>'
                "</request></SendBatch>"
            )
            told: set[str | None] = set()
            sent: set[str | None] = set()
            while not sent or not sent <= told:
                document = client.read()
                if document.get("id") == "b":
                    sent = set(texts(document, "messageId"))
                else:
                    told.update(texts(document, "messageId"))
                    client.acknowledge(document)

    with ExitStack() as crowd:
        idle = [crowd.enter_context(doors.enter()) for _ in range(500)]
        run(links())
        for client in idle:
            assert name(client.ask(f'<Ping xmlns="{NS}"/>')) == "PingResponse"


@pytest.mark.slow
def test_thousands_of_connects_leave_others_served(doors: Doors) -> None:
    with doors.enter() as client:
        for port in (doors.socket_port, doors.cmpp_port):
            for _ in range(5):
                crowd = [socket.create_connection((HOST, port)) for _ in range(100)]
                for each in crowd:
                    each.close()
            assert name(client.ask(f'<Ping xmlns="{NS}"/>')) == "PingResponse"


def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
        setup = Setup(
            tmp_path, f"sqlite:///{tmp_path}/a.db", free_port(), policies=f'<socket port="{port}"/>'
        )
        with Node(setup.write(), setup.web_port) as node, pytest.raises(AssertionError):
            node.start()
        assert "address already in use" in node.last_words().lower()

"""A node with channels over HTTP and SOAP, as docs/operator/web-channels.md writes them."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import pytest
import requests

from adapter.config.load import check
from adapter.security.passwords import hash_password
from tests.nodes import PASSWORD, Node, Soap, free_port, until
from tests.providers import Asked, Given, Provider
from tests.soap_provider import SoapProvider

PAGE = Path(__file__).parents[2] / "docs/operator/web-channels.md"
SECRETS = {
    "AGGREGATOR_KEY": "json-key-1",
    "AGGREGATOR_PUSH_TOKEN": "push-token-1",
    "PROVIDER_PASSWORD": "soap-password-1",
    "PROVIDER_PUSH_KEY": "push-key-1",
}
MOBILE, TELECOM = "13800138000", "18912345678"
LONG = "您预约的门诊已确认，请携带身份证到门诊楼取号。" * 5


def examples() -> list[str]:
    """The channels of the page."""
    return re.findall(r"```xml\n(<channel .*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


def configuration(folder: Path, web: int, provider: Provider) -> Path:
    channels = "\n".join(examples())
    channels = channels.replace("https://api.provider.example", provider.url(""))
    channels = channels.replace('interval="10s"', 'interval="50ms"')
    path = folder / "adapter.xml"
    path.write_text(
        f"""\
<adapter xmlns="urn:his-sms:config:1">
  <node name="test"/>
  <store url="sqlite:///adapter.db"/>
  <web port="{web}"/>
  <logging level="DEBUG"/>
  <channels>
{channels}
  </channels>
  <routes>
    <route carrier="mobile" channels="aggregator"/>
    <route carrier="unicom" channels="aggregator"/>
    <route carrier="telecom" channels="provider"/>
    <route carrier="broadnet" channels="provider"/>
  </routes>
  <clients>
    <client account="web" extension="02"><password hash="{hash_password(PASSWORD)}"/></client>
  </clients>
</adapter>
""",
        encoding="utf-8",
    )
    return path


class Aggregator:
    """The provider of the first example."""

    def __init__(self, provider: Provider) -> None:
        self.taken: list[dict[str, str]] = []
        self.replies: list[dict[str, str]] = []
        self.refusals = [Given(429, b"", headers={"Retry-After": "0"}), Given(200, b'{"code":110}')]
        self._lock = threading.Lock()
        provider.serve("/sms/send", self._send)
        provider.serve("/sms/replies", self._replies)
        provider.serve("/sms/replies/ack", self._acknowledge)

    def _send(self, asked: Asked) -> Given:
        body = json.loads(asked.body)
        signed = f"hospital{SECRETS['AGGREGATOR_KEY']}{body['time']}"
        if hashlib.md5(signed.encode()).hexdigest() != body["sign"]:
            return Given(200, b'{"code": 101}')
        with self._lock:
            if self.refusals:
                return self.refusals.pop()
            self.taken.append(body)
            return Given(200, b'{"code": 0, "data": {"taskId": %d}}' % len(self.taken))

    def _replies(self, _asked: Asked) -> Given:
        with self._lock:
            return Given(200, json.dumps({"code": 0, "data": self.replies}).encode())

    def _acknowledge(self, asked: Asked) -> Given:
        ids = json.loads(asked.body)["ids"].split(",")
        with self._lock:
            self.replies = [each for each in self.replies if each["id"] not in ids]
        return Given(200, b'{"code": 0}')

    def reports(self) -> bytes:
        with self._lock:
            found = [
                {"taskId": k, "mobile": mobile, "status": "DELIVRD", "time": "2026-03-01 14:30:00"}
                for k, each in enumerate(self.taken, 1)
                for mobile in each["mobiles"].split(",")
            ]
        return json.dumps({"reports": found}).encode()


def start(folder: Path, provider: Provider, soap: SoapProvider, *changes: tuple[str, str]) -> Node:
    """A node on the configuration of the page, not yet started."""
    web = free_port()
    soap.write_wsdl(folder / "provider.wsdl")
    path = configuration(folder, web, provider)
    text = path.read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")
    assert check(path) == []
    return Node(path, web)


@pytest.fixture
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("secrets")
def test_the_examples_of_the_page_send_and_hear(tmp_path: Path) -> None:
    with SoapProvider(SECRETS["PROVIDER_PASSWORD"]) as soap_provider, Provider() as provider:
        aggregator = Aggregator(provider)
        soap_provider.codes += ["-9", "-3"]
        with start(tmp_path, provider, soap_provider) as node:
            node.start()
            soap = Soap(node.url)
            wanted = [(m, t) for t in ("检查报告<已出>", LONG) for m in (MOBILE, TELECOM)]
            ids = soap.send_batch(wanted, "W-1")
            until(lambda: len(aggregator.taken) == 2, "the aggregator has both texts")

            def push_receipts(token: str) -> int:
                url = f"{node.url}/push/aggregator/receipts"
                headers = {"X-Token": token}
                answer = requests.post(url, aggregator.reports(), headers=headers, timeout=30)
                assert token == "wrong" or answer.json() == {"code": 0}
                return answer.status_code

            assert push_receipts("wrong") == 403
            assert [push_receipts(SECRETS["AGGREGATOR_PUSH_TOKEN"]) for _ in range(2)] == [200, 200]
            states: dict[int, str] = {}

            def all_delivered() -> bool:
                for each in soap.fetch_all("Receipts"):
                    states[int(each.messageId)] = each.state
                return [states.get(each) for each in ids] == ["DELIVERED"] * 4

            until(all_delivered, "receipts")
            until(lambda: not soap_provider.unacknowledged, "receipts are acknowledged")

            aggregator.replies = [
                {"id": "r1", "mobile": MOBILE, "content": "收到", "extend": "1069000002"}
            ]
            content = quote_plus("好的", encoding="gbk")
            form = f"id=7&mobile={TELECOM}&extend=1069111102&content={content}"
            key = SECRETS["PROVIDER_PUSH_KEY"].encode()
            signature = hmac.digest(key, form.encode(), "sha256").hex()
            for _ in range(2):
                url = f"{node.url}/push/provider/replies"
                headers = {"X-Signature": signature}
                answer = requests.post(url, form.encode(), headers=headers, timeout=30)
                assert (answer.status_code, answer.text) == (200, "OK")
            until(lambda: not aggregator.replies, "replies are acknowledged")
            texts = [(each.mobile, each.content) for each in soap.fetch_all("Inbound")]
            assert sorted(texts) == [(MOBILE, "收到"), (TELECOM, "好的")]
            assert sorted(each["content"] for each in aggregator.taken) == sorted(
                ["检查报告<已出>", LONG]
            )
            assert {each["extend"] for each in aggregator.taken} == {"1069000002"}
            assert sorted(soap_provider.taken) == sorted(
                [(TELECOM, "检查报告<已出>", "1069111102"), (TELECOM, LONG, "1069111102")]
            )
            assert node.at_rest()
            assert node.stop() == 0, node.last_words()
        words = node.log.read_text(encoding="utf-8")
        for hidden in (*SECRETS.values(), "已出", MOBILE, TELECOM, "收到"):
            assert hidden not in words


@pytest.mark.usefixtures("secrets")
def test_a_long_text_whose_answer_was_lost_is_settled_by_its_one_receipt(tmp_path: Path) -> None:
    silent = threading.Event()
    with SoapProvider("unused") as soap_provider, Provider() as provider:
        aggregator = Aggregator(provider)
        aggregator.refusals.clear()
        taken = aggregator._send

        def hang(asked: Asked) -> Given:
            return replace(taken(asked), wait_for=silent)

        provider.serve("/sms/send", hang)
        quick = ('response-timeout="30s"', 'response-timeout="500ms"')
        try:
            with start(tmp_path, provider, soap_provider, quick) as node:
                node.start()
                soap = Soap(node.url)
                (made,) = soap.send_batch([(MOBILE, LONG)], "D-1")
                until(lambda: node.status()["in_doubt"] == 1, "the text is in doubt")
                node.kill()
                node.start()
                answer = requests.post(
                    f"{node.url}/push/aggregator/receipts",
                    aggregator.reports(),
                    headers={"X-Token": SECRETS["AGGREGATOR_PUSH_TOKEN"]},
                    timeout=30,
                )
                assert answer.status_code == 200

                def found() -> Any:
                    reply = soap.call("Query", messageIds={"MessageId": [str(made)]})
                    return reply.messages.Message[0]

                until(lambda: found().state == "DELIVERED", "the receipt has settled it")
                (part,) = found().segments.Segment
                assert (part.number, part.state) == (0, "DELIVERED")
                assert len(aggregator.taken) == 1, "nothing was sent twice"
                assert node.stop() == 0, node.last_words()
        finally:
            silent.set()


@pytest.mark.usefixtures("secrets")
def test_a_provider_that_is_away_gets_its_texts_when_it_is_back(tmp_path: Path) -> None:
    port = free_port()
    with SoapProvider("unused") as soap_provider:
        with Provider(port) as away:
            node = start(tmp_path, away, soap_provider)
        with node:
            node.start()
            soap = Soap(node.url)
            (made,) = soap.send_batch([(MOBILE, "检查报告已出")], "A-1")
            until(lambda: "no connection" in json.dumps(node.status()), "the link is down")
            with Provider(port) as back:
                aggregator = Aggregator(back)
                until(lambda: bool(aggregator.taken), "the text came")
                assert len(aggregator.taken) == 1
                assert node.status()["in_doubt"] == 0
                assert made
                assert node.stop() == 0, node.last_words()

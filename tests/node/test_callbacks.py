"""Whole nodes that bring events to clients' own services, as docs/integrator/callbacks.md says."""

from __future__ import annotations

import json
import re
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from adapter.cli import main
from adapter.config.load import check
from connectors.behaviour import Behaviour, Span
from tests.callback_services import HospitalService, PublishedService
from tests.nodes import ACCESS_NUMBER, Carrier, Node, Setup, Soap, password_hash_of_clients, until
from tests.providers import Asked, Given, Provider

PAGE = Path(__file__).parents[2] / "docs/integrator/callbacks.md"
SECRETS = {
    "LIS_CALLBACK_KEY": "lis-callback-key-0001",
    "HIS_CALLBACK_PASSWORD": "his-callback-password-1",
    "APP_CALLBACK_TOKEN": "app-callback-token-1",
}
QUICK = 'retry-min="20ms" retry-max="200ms"'
LIVELY = Behaviour(answer_delay=Span(1, 5), receipt_delay=Span(1, 50), inbound_share=0.5, seed=3)


def number(message: int) -> str:
    return f"138{message:08}"


def examples(kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


def verifier() -> Callable[..., bool]:
    """The page's own."""
    (program,) = examples("python")
    made: dict[str, Any] = {}
    exec(program, made)
    verify: Callable[..., bool] = made["verify"]
    return verify


class Receiver:
    """A client's JSON service: keeps every event, and answers as it is told."""

    def __init__(self, provider: Provider, path: str = "/events") -> None:
        self.events: list[tuple[str, Mapping[str, Any]]] = []
        """Kind and event, in the order in which they came."""
        self.serving = threading.Event()
        self.serving.set()
        self._lock = threading.Lock()
        self.url = provider.url(path)
        provider.serve(path, self._take)

    def _take(self, asked: Asked) -> Given:
        if not self.serving.is_set():
            return Given(500)
        if len(asked.body) < int(asked.headers["content-length"]):
            return Given(400)  # the node died while it wrote
        told = json.loads(asked.body)
        with self._lock:
            self.events += [("receipt", each) for each in told.get("receipts", ())]
            self.events += [("inbound", each) for each in told.get("inbound", ())]
        return Given(204)

    def ids(self, kind: str) -> Counter[str]:
        """How often each event came."""
        name = {"receipt": "receiptId", "inbound": "inboundId"}[kind]
        with self._lock:
            return Counter(each[name] for of, each in self.events if of == kind)

    def messages(self) -> set[str]:
        with self._lock:
            return {each["messageId"] for kind, each in self.events if kind == "receipt"}


def callback(url: str, more: str = "") -> str:
    return f'<callback url="{url}" {QUICK} {more}/>'


def client(account: str, extension: str, inside: str) -> str:
    return (
        f'<client account="{account}" extension="{extension}">'
        f'<password hash="{password_hash_of_clients()}"/>{inside}</client>'
    )


def callback_status(node: Node, account: str = "web") -> Mapping[str, Any]:
    (found,) = [each for each in node.status()["callbacks"] if each["client"] == account]
    return dict(found)


def assert_in_order(events: list[tuple[str, Mapping[str, Any]]]) -> None:
    """Events of a message came, for the first time, in the order of their ids."""
    first: defaultdict[str, dict[int, int]] = defaultdict(dict)
    for place, (kind, event) in enumerate(events):
        made = int(event["receiptId" if kind == "receipt" else "inboundId"])
        first[event["messageId"]].setdefault(made, place)
    assert any(len(places) > 1 for places in first.values())
    for places in first.values():
        assert sorted(places) == sorted(places, key=places.__getitem__)


def batch_of(store_url: str) -> int:
    """Events in a request: alone on one database, together on the other."""
    return 1 if store_url.startswith("sqlite") else 20


def test_events_come_home_once_in_order_and_nothing_is_left_to_fetch(
    store_url: str, tmp_path: Path
) -> None:
    with Provider() as provider, Carrier(LIVELY, log=tmp_path / "c.jsonl") as carrier:
        receiver = Receiver(provider)
        own = callback(receiver.url, f'batch="{batch_of(store_url)}"')
        setup = Setup(tmp_path, store_url, carrier.port, callback=own)
        with Node(setup.write(), setup.web_port).start() as node:
            soap = Soap(node.url)
            ids = soap.send_batch([(number(n), "您的检查报告已出") for n in range(200)], "B-1")
            until(lambda: len(receiver.ids("receipt")) == 200, "all receipts came")
            replies = len(carrier.events("inbound"))
            assert replies > 50
            until(lambda: len(receiver.ids("inbound")) == replies, "all replies came")
            until(lambda: callback_status(node)["waiting"] == 0, "nothing waits")
            assert soap.fetch_all("Receipts") == soap.fetch_all("Inbound") == []
            assert receiver.messages() == set(map(str, ids))
            for kind in ("receipt", "inbound"):
                assert set(receiver.ids(kind).values()) == {1}
            assert_in_order(receiver.events)
            metrics = node_metrics(node)
            assert 'sms_callback_up{client="web"} 1.0' in metrics
            assert 'sms_callback_requests_total{client="web",outcome="taken"}' in metrics
            assert node.stop() == 0, node.last_words()


def node_metrics(node: Node) -> str:
    from urllib.request import urlopen

    with urlopen(f"{node.url}/metrics", timeout=20) as answer:
        text: str = answer.read().decode()
    return text


@pytest.mark.crash
def test_a_node_killed_in_the_middle_loses_nothing_and_keeps_the_order(tmp_path: Path) -> None:
    store_url = f"sqlite:///{tmp_path / 's.db'}"
    with Provider() as provider, Carrier(LIVELY, log=tmp_path / "c.jsonl") as carrier:
        receiver = Receiver(provider)
        own = callback(receiver.url, 'batch="5"')
        setup = Setup(tmp_path, store_url, carrier.port, callback=own)
        with Node(setup.write(), setup.web_port).start() as node:
            ids: set[str] = set()
            for life in range(2):
                receiver.serving.clear()
                soap = Soap(node.url)
                entries = [(number(100 * life + n), "检查报告已出") for n in range(100)]
                ids.update(map(str, soap.send_batch(entries, f"B-{life}")))
                # What a death leaves on the wire is another test's; here all is on its way home.
                until(node.at_rest, "all was sent")
                until(lambda: callback_status(node)["waiting"] >= 100, "all receipts are recorded")
                came = len(receiver.events)
                receiver.serving.set()
                until(lambda came=came: len(receiver.events) > came + 30)  # type: ignore[misc]
                node.kill()
                node.start()
            until(lambda: receiver.messages() == ids, "all receipts came")
            until(lambda: callback_status(node)["waiting"] == 0, "nothing waits")
            assert len(receiver.ids("inbound")) > 50
            # At each death only what was on its way, or not yet forgotten, comes again.
            repeated = sum(receiver.ids("receipt").values()) - len(ids)
            assert repeated < len(ids)
            assert_in_order(receiver.events)
            assert node.stop() == 0, node.last_words()


def test_a_service_that_hangs_delays_nobody_else_and_loses_nothing(tmp_path: Path) -> None:
    silent = threading.Event()
    store = f"sqlite:///{tmp_path / 's.db'}"
    with Provider() as provider, Provider() as deaf, Carrier(LIVELY) as carrier:
        receiver, late = Receiver(provider), Receiver(deaf)
        answer = late._take
        deaf.serve("/events", lambda asked: Given(wait_for=silent))
        setup = Setup(
            tmp_path,
            store,
            carrier.port,
            callback=callback(receiver.url),
            clients=client("slow", "03", callback(late.url, 'response-timeout="500ms"')),
        )
        try:
            with Node(setup.write(), setup.web_port).start() as node:
                entries = [(number(n), "检查报告已出") for n in range(100)]
                Soap(node.url, "slow").send_batch(entries, "S-1")
                until(lambda: not callback_status(node, "slow")["up"], "it is known to hang")
                ids = Soap(node.url).send_batch(entries, "W-1")
                until(lambda: receiver.messages() == set(map(str, ids)), "the other has its own")
                status = callback_status(node, "slow")
                assert status["waiting"] >= 100
                assert status["reason"] == "no answer in 0.5 s"
                assert node.at_rest()
                deaf.serve("/events", answer)
                until(lambda: len(late.ids("receipt")) == 100, "the slow one catches up")
                assert node.stop() == 0, node.last_words()
        finally:
            silent.set()


def test_dead_letters_are_shown_and_replayed_while_the_node_runs(tmp_path: Path) -> None:
    store_url = f"sqlite:///{tmp_path / 's.db'}"
    with Provider() as provider, Carrier(Behaviour(receipt_delay=Span(1, 50))) as carrier:
        receiver = Receiver(provider)
        receiver.serving.clear()
        own = callback(receiver.url, 'give-up="1s"')
        setup = Setup(tmp_path, store_url, carrier.port, callback=own)
        path = setup.write()
        with Node(path, setup.web_port).start() as node:
            soap = Soap(node.url)
            ids = soap.send_batch([(number(n), "检查报告已出") for n in range(30)], "B-1")
            until(lambda: callback_status(node)["dead"] == 30, "they died")
            assert callback_status(node)["waiting"] == 0
            assert soap.fetch_all("Receipts") == []
            shown = command("dead", "web", str(path), "--json")
            letters = [json.loads(line) for line in shown.splitlines()]
            assert {each["message"] for each in letters} == set(map(str, ids))
            assert {each["reason"] for each in letters} == {"HTTP 500"}
            assert {each["mobile"] for each in letters} == {
                "138****" + f"{n:04}" for n in range(30)
            }
            receiver.serving.set()
            one = letters[7]["id"]
            assert command("replay", "web", str(path), "--id", one).startswith("1 events")
            assert command("replay", "web", str(path)).startswith("29 events")
            until(lambda: len(receiver.ids("receipt")) == 30, "all came")
            assert set(receiver.ids("receipt")) == {each["id"] for each in letters}
            until(lambda: callback_status(node)["waiting"] == 0)
            assert callback_status(node)["dead"] == 0
            assert command("dead", "web", str(path)) == ""
            assert node.stop() == 0, node.last_words()
        words = node.log.read_text(encoding="utf-8")
        assert "callback.dead" in words
        assert number(3) not in words


def command(*words: str) -> str:
    result = CliRunner().invoke(main, ["callback", *words])
    assert result.exit_code == 0, result.output
    return result.output


def test_the_examples_of_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    lis, his, emr, app = examples("xml")
    with (
        Provider() as provider,
        PublishedService() as published,
        HospitalService() as hospital,
        Carrier(Behaviour(receipt_delay=Span(1, 20))) as carrier,
    ):
        receiver = Receiver(provider, "/sms/events")
        forms: list[Asked] = []
        hospital.write_wsdl(tmp_path / "emr.wsdl")
        hospital.codes = ["-1"]
        published.answers = ["AGAIN"]
        lis = lis.replace("https://lis.hospital.example", provider.url(""))
        his = his.replace("https://his.hospital.example/services/SmsCallback", published.url)
        emr = emr.replace("https://emr.hospital.example/services/Sms", hospital.url)
        app = app.replace("https://app.hospital.example", provider.url(""))
        setup = Setup(
            tmp_path,
            f"sqlite:///{tmp_path / 's.db'}",
            carrier.port,
            callback=lis,
            clients=client("his2", "03", his) + client("emr", "04", emr) + client("app", "05", app),
        )
        path = setup.write()
        only_warnings = [fault for fault in check(path) if not fault.warning]
        assert only_warnings == []
        path.write_text(path.read_text("utf-8").replace('retry-min="5s"', 'retry-min="50ms"'))
        with Node(path, setup.web_port).start() as node:
            made = {
                account: Soap(node.url, account).send(number(1), "检查报告已出", f"{account}-1")
                for account in ("web", "his2", "emr", "app")
            }
            url = f"/sms/{made['app']}"

            def take(asked: Asked) -> Given:
                forms.append(asked)
                return Given(200, b'{"code": 200}')

            provider.serve(url, take)
            for extension, text in (("02", "收到"), ("03", "好的"), ("04", "谢谢")):
                carrier.send_inbound(number(1), ACCESS_NUMBER + extension, text)
            until(lambda: receiver.messages() == {str(made["web"])}, "lis has its receipt")
            until(lambda: receiver.ids("inbound"), "and its reply")
            until(lambda: published.receipts and published.inbound, "his has both")
            until(lambda: hospital.statuses and hospital.replies, "emr has both")
            until(lambda: forms, "app has its receipt")
            assert node.stop() == 0, node.last_words()
        ((number_, state, event),) = hospital.statuses
        assert (number_, state) == ("emr-1", "DELIVERED")
        assert int(event) > made["emr"]
        assert hospital.replies == [(number(1), "谢谢")]
        assert [each.messageId for each in published.receipts] == [str(made["his2"])]
        (form,) = forms
        assert form.headers["x-token"] == SECRETS["APP_CALLBACK_TOKEN"]
        assert json.loads(form.body)["no"] == "app-1"
        assert_verified(provider.asked("/sms/events"))
        words = node.log.read_text(encoding="utf-8")
        for hidden in (*SECRETS.values(), number(1), "收到"):
            assert hidden not in words


def assert_verified(requests: list[Asked]) -> None:
    """By the page's program, and only as they came."""
    verify, seen = verifier(), set[str]()
    keys = {"cb1": SECRETS["LIS_CALLBACK_KEY"].encode()}
    for asked in requests:
        told = (asked.method, asked.path, asked.headers)
        assert not verify(*told, asked.body + b" ", keys, set())
        assert not verify(*told, asked.body, {"cb1": b"another key"}, set())
        assert verify(*told, asked.body, keys, seen)
        assert not verify(*told, asked.body, keys, seen), "a replay"

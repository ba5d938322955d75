from __future__ import annotations

import threading
from pathlib import Path

import pytest

from adapter.domain.errors import Code
from adapter.domain.states import Door, Lane
from adapter.domain.tally import INBOUND, NONE, Tally
from adapter.metrics import Metrics
from tests.doors.test_health import Node


def row(state: str, messages: int, channel: str = "main") -> Tally:
    return Tally(1, "his", "lab", "soap", channel, "mobile", state, messages, messages * 2)


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


def test_tallies_are_counted() -> None:
    metrics = Metrics()
    metrics.tally([row("ACCEPTED", 3, NONE), row("SUBMITTED", 2), row("SUBMITTED", 1)])
    labels = {"door": "soap", "client": "his"}
    assert value(metrics, "sms_messages_total", state="ACCEPTED", channel="-", **labels) == 3
    assert value(metrics, "sms_messages_total", state="SUBMITTED", channel="main", **labels) == 3
    assert value(metrics, "sms_segments_total", state="SUBMITTED", channel="main") == 6
    assert metrics.totals() == {"ACCEPTED": 3, "SUBMITTED": 3}


def test_inbound_is_no_message_of_a_client() -> None:
    metrics = Metrics()
    metrics.tally([Tally(1, "his", "lab", NONE, "main", NONE, INBOUND, 4, 4)])
    assert value(metrics, "sms_inbound_total", channel="main") == 4
    assert metrics.totals() == {"INBOUND": 4}


def test_waits_are_observed_in_batches() -> None:
    metrics = Metrics()
    metrics.observe_wire(Lane.URGENT, [0.01, 0.2, -5.0])
    assert value(metrics, "sms_wire_seconds_count", lane="urgent") == 3
    assert value(metrics, "sms_wire_seconds_bucket", lane="urgent", le="0.005") == 1
    assert value(metrics, "sms_wire_seconds_sum", lane="urgent") == pytest.approx(0.21)
    metrics.observe_submit("main", [0.01])
    metrics.observe_receipt("main", [3.0])
    metrics.observe_write_back("his", [0.5])
    metrics.observe_accept(Door.SOAP, [0.02])
    assert value(metrics, "sms_receipt_seconds_bucket", channel="main", le="4.0") == 1
    assert value(metrics, "sms_accept_seconds_count", door="soap") == 1


def test_refusals_and_store() -> None:
    metrics = Metrics()
    metrics.refused(Door.SOAP, Code.BAD_NUMBER, 3)
    assert value(metrics, "sms_refused_total", door="soap", code="BAD_NUMBER") == 3
    metrics.wrong_try("soap", "his")
    metrics.locked_out("soap", "")
    assert value(metrics, "sms_wrong_tries_total", door="soap", client="his") == 1
    assert value(metrics, "sms_lockouts_total", door="soap", client="") == 1
    store = metrics.store("accept")
    store.committed(7, 0.003)
    store.failed("OperationalError")
    assert value(metrics, "sms_store_batch_pieces_sum", committer="accept") == 7
    assert (
        value(metrics, "sms_store_failures_total", committer="accept", reason="OperationalError")
        == 1
    )


def test_two_nodes_in_one_process_count_apart() -> None:
    first, second = Metrics(), Metrics()
    first.tally([row("ACCEPTED", 1)])
    assert second.totals() == {}


def test_threads_do_not_lose_counts() -> None:
    metrics = Metrics()
    rows = [row("ACCEPTED", 1)] * 500

    threads = [threading.Thread(target=metrics.tally, args=(rows,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert metrics.totals() == {"ACCEPTED": 2000}


def test_store_trouble_ends_with_the_next_commit() -> None:
    metrics = Metrics()
    accept, record = metrics.store("accept"), metrics.store("record")
    record.failed("OperationalError")
    accept.committed(1, 0.001)
    assert metrics.store_trouble() == "OperationalError"
    record.committed(1, 0.001)
    assert metrics.store_trouble() == ""


def test_every_metric_is_in_the_catalogue() -> None:
    page = (Path(__file__).parents[1] / "docs/operator/monitoring.md").read_text(encoding="utf-8")
    metrics = Metrics()
    metrics.watch(Node())
    suffix = {"counter": "_total", "info": "_info"}
    names = [
        family.name + suffix.get(family.type, "")
        for family in metrics.registry.collect()
        if family.name.startswith("sms_")
    ]
    assert len(names) > 30
    assert [name for name in names if f"`{name}`" not in page] == []

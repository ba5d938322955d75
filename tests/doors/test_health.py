from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Any
from wsgiref.util import setup_testing_defaults

import pytest
from prometheus_client.parser import text_string_to_metric_families

from adapter.domain.states import Lane
from adapter.domain.status import (
    ChannelFrames,
    ChannelStatus,
    FrameStatus,
    JobStatus,
    LinkStatus,
    QueueStatus,
    SourceStatus,
    Status,
    StoreStatus,
)
from adapter.doors.health import HealthDoor, here
from adapter.metrics import Metrics

AT = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
STATUS = Status(
    node="node-1",
    version="0.1.0",
    started_at=AT - timedelta(hours=2),
    at=AT,
    dispatching=True,
    store=StoreStatus("sqlite", "v01", True, 12, 1_000_000),
    channels=(
        ChannelStatus("mobile-main", "cmpp", True, 100.0, (LinkStatus(1, True, AT, 3, 16),)),
        ChannelStatus("unicom", "cmpp", True, 50.0, (LinkStatus(1, False, reason="refused"),)),
    ),
    queues=(QueueStatus(Lane.URGENT, 0), QueueStatus(Lane.BULK, 12, 4.5)),
    on_wire=3,
    in_doubt=1,
    notices=7,
    sources=(
        SourceStatus(
            "his", True, AT, 0.2, 5, 1.5, refused_writes=3, refusal="CheckViolation 23514"
        ),
    ),
    jobs=(JobStatus("fold", AT, 0.02, 10, 0),),
    counters={"ACCEPTED": 20},
)


FRAMES = (
    ChannelFrames(
        "mobile-main",
        "cmpp 3.0",
        200,
        (
            FrameStatus(AT, "mobile-main-1", "opened", 0, ""),
            FrameStatus(AT, "mobile-main-1", "sent", 39, "CMPP_CONNECT", {"Version": 48}),
            FrameStatus(AT, "mobile-main-1", "received", 33, "CMPP_SUBMIT", {}, "needs 8 octets"),
            FrameStatus(AT, "mobile-main-1", "cut", 40, "bad frame length 7"),
        ),
    ),
    ChannelFrames("unicom", "cmpp 3.0", 0),
)


class Node:
    def __init__(self, status: Status = STATUS) -> None:
        self.now: Status | Exception = status

    def status(self) -> Status:
        if isinstance(self.now, Exception):
            raise self.now
        return self.now

    def checks(self) -> Mapping[str, str]:
        return self.status().checks

    def frames(self, channel: str = "") -> Sequence[ChannelFrames]:
        return [each for each in FRAMES if not channel or each.name == channel]


class Page:
    """One answer of a WSGI application."""

    def __init__(self, application: Any, **environ: str) -> None:
        asked: dict[str, Any] = {"REMOTE_ADDR": "127.0.0.1", **environ}
        setup_testing_defaults(asked)
        self.body = b"".join(application(asked, self._start)).decode()

    def _start(self, line: str, headers: list[tuple[str, str]], _error: Any = None) -> Any:
        self.code = int(line.split()[0])
        self.headers = dict(headers)

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@pytest.fixture
def node() -> Node:
    return Node()


@pytest.fixture
def door(node: Node) -> HealthDoor:
    metrics = Metrics()
    metrics.watch(node)
    return HealthDoor(node, metrics.registry)


def test_healthz_asks_nobody(door: HealthDoor, node: Node) -> None:
    node.now = RuntimeError("broken")
    assert Page(door.healthz).code == 200


def test_ready(door: HealthDoor) -> None:
    page = Page(door.readyz)
    assert page.code == 200
    assert page.json == {
        "ready": True,
        "checks": {"store": "ok", "dispatcher": "ok", "channels": "ok"},
    }


@pytest.mark.parametrize(
    ("change", "check", "reason"),
    [
        ({"dispatching": False}, "dispatcher", "not running"),
        ({"channels": STATUS.channels[1:]}, "channels", "none is up"),
        ({"channels": ()}, "channels", "none is up"),
        (
            {"store": replace(STATUS.store, writable=False, reason="disk full")},
            "store",
            "disk full",
        ),
    ],
)
def test_not_ready_says_why(
    door: HealthDoor, node: Node, change: dict[str, Any], check: str, reason: str
) -> None:
    node.now = replace(STATUS, **change)
    page = Page(door.readyz)
    assert page.code == 503
    checks = page.json["checks"]
    assert checks.pop(check) == reason
    assert set(checks.values()) == {"ok"}


def test_a_node_that_cannot_tell_is_not_ready(door: HealthDoor, node: Node) -> None:
    node.now = RuntimeError("broken")
    page = Page(door.readyz)
    assert page.code == 503
    assert "broken" not in page.body


def test_the_frames_of_all_channels_and_of_one(door: HealthDoor) -> None:
    channels = Page(door.status, QUERY_STRING="frames").json["channels"]
    assert [(each["name"], each["keeps"]) for each in channels] == [
        ("mobile-main", 200), ("unicom", 0),
    ]  # fmt: skip
    assert channels[0]["frames"][1] == {
        "at": AT.isoformat(), "link": "mobile-main-1", "way": "sent", "octets": 39,
        "name": "CMPP_CONNECT", "fields": {"Version": 48}, "fault": "",
    }  # fmt: skip
    one = Page(door.status, QUERY_STRING="frames=unicom").json["channels"]
    assert [each["name"] for each in one] == ["unicom"]
    assert Page(door.status, QUERY_STRING="frames=nobody").json["channels"] == []
    assert Page(door.status, QUERY_STRING="frames", REMOTE_ADDR="10.1.2.3").code == 403


def test_status_document(door: HealthDoor) -> None:
    found = Page(door.status).json
    assert found["uptime_s"] == 7200
    assert found["queues"][1] == {"lane": "bulk", "waiting": 12, "oldest_s": 4.5}
    assert [channel["up"] for channel in found["channels"]] == [True, False]
    assert found["channels"][0]["links"][0]["since"] == "2026-03-01T08:00:00+00:00"
    assert found["counters"] == {"ACCEPTED": 20}


@pytest.mark.parametrize("address", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])
def test_status_answers_here(door: HealthDoor, address: str) -> None:
    assert Page(door.status, REMOTE_ADDR=address).code == 200


@pytest.mark.parametrize("address", ["10.0.0.8", "::ffff:10.0.0.8", "2001:db8::1", "", "odd"])
def test_status_does_not_answer_elsewhere(door: HealthDoor, address: str) -> None:
    page = Page(door.status, REMOTE_ADDR=address)
    assert page.code == 403
    assert "node-1" not in page.body


@pytest.mark.parametrize(
    "passed_on",
    [
        {"HTTP_X_FORWARDED_FOR": "10.0.0.8"},
        {"HTTP_X_REAL_IP": "10.0.0.8"},
        {"HTTP_VIA": "1.1 proxy"},
        {"HTTP_HOST": "sms.hospital.example"},
        {"HTTP_HOST": "10.0.0.5:8080"},
        {"HTTP_HOST": ""},
    ],
)
def test_what_a_proxy_passes_on_is_not_from_here(
    door: HealthDoor, passed_on: dict[str, str]
) -> None:
    assert Page(door.status, **passed_on).code == 403


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8080", "127.0.0.1:8080", "[::1]:8080"])
def test_names_of_this_machine(door: HealthDoor, host: str) -> None:
    assert Page(door.status, HTTP_HOST=host).code == 200


def test_a_node_on_an_address_of_its_own(node: Node) -> None:
    door = HealthDoor(node, Metrics().registry, status_networks=here("10.0.0.5"))
    own = {"HTTP_HOST": "10.0.0.5:8080"}
    assert Page(door.status, REMOTE_ADDR="10.0.0.5", **own).code == 200
    assert Page(door.status, REMOTE_ADDR="10.0.0.6", **own).code == 403


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "sms.hospital.example", "127.0.0.1"])
def test_here_is_never_everywhere(host: str) -> None:
    assert not any(ip_address("10.0.0.6") in network for network in here(host))


def test_metrics_show_the_status(door: HealthDoor) -> None:
    page = Page(door.metrics, REMOTE_ADDR="10.0.0.8")
    assert page.code == 200
    found = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(page.body)
        for sample in family.samples
    }
    assert found["sms_queue", "bulk"] == 12
    assert found["sms_link_up", "1", "mobile-main"] == 1
    assert found["sms_channel_up", "unicom"] == 0
    assert found["sms_in_doubt",] == 1
    assert found["sms_capacity",] == 1_000_000
    assert found["sms_source_unwritten", "his"] == 5
    assert found["sms_source_refused_writes_total", "his"] == 3

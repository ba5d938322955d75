"""From requests to durable messages: answers, order, idempotency, one commit a call."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, timedelta, timezone
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import structs

from adapter.config.model import Ported
from adapter.domain.errors import Code, SpoolFull
from adapter.domain.states import Carrier, Door, Lane
from adapter.domain.values import Entry, Reply, Request, Result
from tests.intake.conftest import CONFIG, NOW, House

SIGNED = "【某某医院】您好"


def send(*mobiles: str, **settings: Any) -> Request:
    settings.setdefault("content", "您好")
    return Request([Entry(mobile) for mobile in mobiles], **settings)


def codes(reply: Reply) -> list[Code]:
    return [result.code for result in reply.results]


def only(reply: Reply) -> Result:
    assert len(reply.results) == 1
    return reply.results[0]


def test_an_accepted_request_is_stored_as_it_was_asked_for(house: House) -> None:
    request = Request(
        [Entry("+86 138-0013-8000", ref="a")],
        content="您好",
        client_ref="OP-1",
        business="appointment",
        lane=Lane.REALTIME,
        extension="34",
        schedule_at=NOW + timedelta(hours=1),
        expire_at=NOW + timedelta(hours=2),
        receipt=False,
        pass_through="passed",
        business_key="A1",
        door=Door.DBPOLL,
        source="tables",
    )
    (reply,) = house.accept(request)
    assert (reply.code, reply.accepted, reply.refused) == (Code.OK, 1, 0)
    result = only(reply)
    assert (result.mobile, result.ref, result.segments) == ("13800138000", "a", 1)
    its, own = house.rows(reply)
    assert (its.client, its.door, its.source, its.client_ref) == ("his", "dbpoll", "tables", "OP-1")
    assert (its.business, its.lane, its.extension) == ("appointment", "realtime", "34")
    assert (its.content, its.pass_through, its.business_key) == (SIGNED, "passed", "A1")
    assert its.receipt is False
    assert [each.id for each in own] == [result.message_id]
    assert own[0].expire_at - own[0].due_at == 3_600_000
    assert own[0].due_at - its.accepted_at == 3_600_000
    (waiting,) = house.arrived
    assert waiting.content == SIGNED
    assert waiting.message.carrier is Carrier.MOBILE


def test_what_the_request_leaves_open_is_the_clients(house: House) -> None:
    (reply,) = house.accept(send("13800138000"), lane=Lane.BULK, validity_s=60)
    its, own = house.rows(reply)
    assert (its.business, its.lane, its.extension) == ("general", "bulk", None)
    assert its.due_at == its.accepted_at
    assert own[0].expire_at - own[0].due_at == 60_000


def test_results_stand_in_the_order_of_the_entries(house: House) -> None:
    request = Request(
        [
            Entry("bad", ref="0"),
            Entry("13000000000", ref="1"),
            Entry("19200000000", ref="2"),
            Entry("13800138000", ref="3"),
            Entry("13800138000", ref="4"),
            Entry("13300000000", ref="5", refused=(Code.BAD_CONTENT, "not decodable")),
        ],
        content="您好",
        client_ref="X",
    )
    (reply,) = house.accept(request)
    assert [result.ref for result in reply.results] == list("012345")
    assert codes(reply) == [
        Code.BAD_NUMBER,
        Code.OK,
        Code.NO_ROUTE,
        Code.OK,
        Code.DUPLICATE,
        Code.BAD_CONTENT,
    ]
    assert (reply.code, reply.accepted, reply.refused) == (Code.PARTIAL, 2, 4)
    assert reply.results[0].mobile == "bad"
    assert reply.results[5].description == "not decodable"
    ids = [result.message_id for result in reply.results]
    assert [made is None for made in ids] == [True, False, True, False, True, True]
    assert house.accept(request) == [reply], "and so they stand when it is repeated"


def test_the_same_number_may_get_several_texts_but_none_twice(house: House) -> None:
    entries = [Entry("13800138000", content=text) for text in ("一", "二", "一", "三", "二")]
    (reply,) = house.accept(Request(entries))
    ok, again = Code.OK, Code.DUPLICATE
    assert codes(reply) == [ok, ok, again, ok, again]


def test_one_number_written_twice_differently_is_still_one(house: House) -> None:
    (reply,) = house.accept(send("13800138000", "+86 13800138000"))
    assert codes(reply) == [Code.OK, Code.DUPLICATE]


def test_own_contents_are_stored_with_the_message(house: House) -> None:
    entries = [
        Entry("13800138000"),
        Entry("13900139000", content="再见"),
        Entry("13700137000", content="您好"),
    ]
    (reply,) = house.accept(Request(entries, content="您好"))
    its, own = house.rows(reply)
    assert its.content == SIGNED
    assert [each.content for each in own] == [None, "【某某医院】再见", None]
    assert [each.content for each in house.arrived] == [SIGNED, "【某某医院】再见", SIGNED]


def test_a_template(house: House) -> None:
    entries = [
        Entry("13800138000", values={"name": "李明"}),
        Entry("13900139000", values={"nam": "王"}),
    ]
    (reply,) = house.accept(Request(entries, template="visit", values={"time": "9:00"}))
    assert codes(reply) == [Code.OK, Code.BAD_CONTENT]
    assert [each.content for each in house.arrived] == ["【某某医院】李明，请于9:00就诊"]


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (send("1380013800"), Code.BAD_NUMBER),
        (send("13800138000", content=" "), Code.BAD_CONTENT),
        (send("13800138000", content="院" * 1_000), Code.TOO_LONG),
        (send("13800138000", content=None, template="gone"), Code.TEMPLATE_UNKNOWN),
        (send("19200000000"), Code.NO_ROUTE),
        (send("13800138000", lane=Lane.URGENT, replace=True), Code.BAD_REQUEST),
        (send(), Code.BAD_REQUEST),
        (send("13800138000", pass_through="\x00"), Code.BAD_REQUEST),
        (send("bad", "19200000000"), Code.BAD_REQUEST),
        (send("13800138000", door=Door.SOCKET), Code.AUTH_FAILED),
    ],
)
def test_a_refused_request_is_not_stored_and_harms_no_other(
    house: House, request_: Request, code: Code
) -> None:
    good = send("13800138000", client_ref="good")
    bad = structs.replace(request_, client_ref="bad")
    first, refused, last = house.accept(good, bad, send("13900139000"), doors=(Door.SOAP,))
    assert (first.code, last.code) == (Code.OK, Code.OK)
    assert (refused.code, refused.submission_id, refused.accepted) == (code, None, 0)
    assert refused.refused == len(bad.entries)
    assert refused.description
    assert house.count() == 2
    assert house.accept(structs.replace(good, client_ref="bad"))[0].code is Code.OK, "corrected"


def test_mixed_reasons_are_told_by_the_results(house: House) -> None:
    (reply,) = house.accept(send("bad", "19200000000"))
    assert codes(reply) == [Code.BAD_NUMBER, Code.NO_ROUTE]


def test_a_ref_that_cannot_be_stored_is_refused_alone(house: House) -> None:
    entries = [
        Entry("13800138000", ref="x" * 65),
        Entry("13900139000", ref="x" * 64),
        Entry("13700137000", ref="\x00"),
    ]
    (reply,) = house.accept(Request(entries, content="您好"))
    assert codes(reply) == [Code.BAD_REQUEST, Code.OK, Code.BAD_REQUEST]


def test_access_number_and_extensions_have_twenty_digits_towards_each_carrier(
    house: House,
) -> None:
    # 10690001 + 12 leaves ten digits; Telecom's 1069000123456789 + 12 leaves two.
    for extension, expected in (
        ("34", [Code.OK, Code.OK]),
        ("345", [Code.OK, Code.BAD_REQUEST]),
        ("3" * 10, [Code.OK, Code.BAD_REQUEST]),
        ("3" * 11, [Code.BAD_REQUEST, Code.BAD_REQUEST]),
    ):
        (reply,) = house.accept(send("13800138000", "13300000000", extension=extension))
        assert codes(reply) == expected


def test_segments_are_counted_as_every_channel_of_the_carrier_would_cut_them(
    house: House,
) -> None:
    request = send("13800138000", "13000000000", content="a" * 159)
    (reply,) = house.accept(request, signature="")
    assert [result.segments for result in reply.results] == [1, 3], "one of Unicom's takes no GSM"
    assert [waiting.message.segments for waiting in house.arrived] == [1, 3]
    (reply,) = house.accept(request, signature="", max_segments=2)
    assert codes(reply) == [Code.OK, Code.TOO_LONG]


def test_a_ported_number_goes_to_its_carrier(house: House) -> None:
    house.use(replace(CONFIG, ported=(Ported("13800138000", Carrier.TELECOM),)))
    house.accept(send("13800138000", "13800138001"))
    carriers = [waiting.message.carrier for waiting in house.arrived]
    assert carriers == [Carrier.TELECOM, Carrier.MOBILE]


class TestRepeated:
    def test_the_first_answer_comes_back_and_nothing_is_sent_again(self, house: House) -> None:
        request = send("13800138000", "bad", client_ref="OP-1")
        first = house.accept(request)
        assert house.accept(request) == first
        assert house.accept(structs.replace(request, content="something else")) == first
        assert len(house.arrived) == 1

    def test_in_one_call(self, house: House) -> None:
        request = send("13800138000", client_ref="OP-1")
        first, second = house.accept(request, request)
        assert first == second
        assert len(house.arrived) == 1

    def test_without_a_reference_each_request_is_new(self, house: House) -> None:
        request = send("13800138000")
        first, second = house.accept(request, request)
        assert first.submission_id != second.submission_id

    def test_references_are_each_clients_and_each_sources_own(self, house: House) -> None:
        request = send("13800138000", client_ref="1")
        house.accept(request)
        house.accept(structs.replace(request, source="tables"))
        house.accept(request, account="lis")
        assert house.count() == 3

    def test_though_its_time_has_passed(self, house: House) -> None:
        request = send("13800138000", client_ref="1", expire_at=NOW + timedelta(minutes=5))
        first = house.accept(request)
        house.now += timedelta(hours=1)
        fresh = structs.replace(request, client_ref="2")
        again, refused = house.accept(request, fresh)
        assert [again] == first
        assert refused.code is Code.BAD_REQUEST

    def test_though_its_route_and_template_are_gone(self, house: House) -> None:
        by_number = send("13800138000", client_ref="1")
        by_template = send("13900139000", content=None, template="fixed", client_ref="2")
        first = house.accept(by_number, by_template)
        house.use(replace(CONFIG, routes=(), templates=()))
        assert house.accept(by_number, by_template) == first
        assert len(house.arrived) == 2

    def test_by_many_callers_at_once(self, house: House) -> None:
        request = send("13800138000", client_ref="OP-1")
        start = threading.Barrier(8)

        def repeat(_: int) -> list[Reply]:
            start.wait()
            return house.accept(request)

        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(repeat, range(8)))
        assert all(answer == answers[0] for answer in answers)
        assert len(house.arrived) == 1


def test_replace_withdraws_what_is_unsent_under_the_same_key(house: House) -> None:
    request = send("13800138000", business_key="A1")
    (old,) = house.accept(request)
    (new,) = house.accept(structs.replace(request, content="改期", replace=True))
    assert house.rows(old)[1] == [], "no longer in the spool"
    assert len(house.rows(new)[1]) == 1


def test_when_the_spool_is_full_nothing_of_the_call_is_taken(small_house: House) -> None:
    small_house.accept(send("13800138000", "13900139000"))
    with pytest.raises(SpoolFull):
        small_house.accept(send("13800138000"), send("13900139000"))
    assert small_house.count() == 1
    assert small_house.accept(send("13800138000"))[0].code is Code.OK


def test_a_call_without_requests(house: House) -> None:
    assert house.accept() == []


def test_what_is_refused_never_repeats_number_or_content(house: House) -> None:
    (reply,) = house.accept(
        send("23800138000", "13800138000x", "19400138000", content="secret diagnosis")
    )
    told = " ".join([reply.description, *(result.description for result in reply.results)])
    assert "0013800" not in told
    assert "secret" not in told


TEXT = st.text(max_size=80) | st.sampled_from(["", "您好", "\x00", "\ud800", "院" * 800])
MOBILE = st.sampled_from(["13800138000", "+8613000000000", "13300000000", "19200000000"]) | TEXT
VALUES = st.none() | st.dictionaries(st.sampled_from(["name", "time", "x"]), TEXT)
ZONES = [None, UTC, timezone(timedelta(hours=8)), timezone(timedelta(hours=-14))]
MOMENT = st.none() | st.datetimes(timezones=st.sampled_from(ZONES))
ENTRY = st.builds(
    Entry, mobile=MOBILE, content=st.none() | TEXT, values=VALUES, ref=TEXT, refused=st.none()
)
REQUEST = st.builds(
    Request,
    entries=st.lists(ENTRY, max_size=4),
    content=st.none() | TEXT,
    template=st.sampled_from(["", "visit", "fixed", "gone", "\ud800"]),
    values=VALUES,
    client_ref=TEXT,
    business=TEXT,
    lane=st.none() | st.sampled_from(Lane),
    extension=st.sampled_from(["", "1", "12345678901", "x"]) | TEXT,
    schedule_at=MOMENT,
    expire_at=MOMENT,
    receipt=st.booleans(),
    pass_through=TEXT,
    business_key=TEXT,
    replace=st.booleans(),
    door=st.sampled_from(Door),
    source=st.just(""),
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(requests=st.lists(REQUEST, min_size=1, max_size=5))
def test_whatever_is_asked_every_request_gets_an_answer_and_the_good_one_is_accepted(
    house: House, requests: list[Request]
) -> None:
    *replies, good = house.accept(*requests, send("13800138000"))
    assert good.code is Code.OK
    for request, reply in zip(requests, replies, strict=True):
        if reply.submission_id is None:
            assert reply.code not in (Code.OK, Code.PARTIAL)
            assert len(reply.results) in (0, len(request.entries))
        else:
            assert reply.accepted + reply.refused == len(reply.results)
            assert reply.accepted == codes(reply).count(Code.OK) > 0
            assert reply.code is (Code.PARTIAL if reply.refused else Code.OK)

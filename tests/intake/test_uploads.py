"""Uploads: many portions, one submission; what broke off goes on, and nobody is told twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from adapter.config.model import Config
from adapter.domain.errors import Code, Refusal, SpoolFull, StoreUnavailable
from adapter.domain.states import Door, Lane
from adapter.domain.values import Entry, Reply, Request
from adapter.intake.limits import Limits
from adapter.intake.uploads import MOST_UPLOADED, Upload, Uploads
from adapter.store.capacity import Capacity
from adapter.store.schema import message, submission, tally
from adapter.store.uploading import Uploading
from tests.intake.conftest import CONFIG, ZONE, House
from tests.store.making import lose_next_answer


def mobiles(first: int, end: int) -> list[Entry]:
    return [Entry(f"138{number:08d}") for number in range(first, end)]


def open_upload(
    house: House,
    capacity: int = 1_000,
    config: Config = CONFIG,
    client: dict[str, Any] | None = None,
    **settings: Any,
) -> Upload:
    its = Uploading(
        house.acceptance._committer, house.ids, Capacity(capacity), house.arrived.extend
    )
    limits = Limits(ZONE, house.desk.accepted_since, lambda: house.now.timestamp())
    uploads = Uploads(its, house.ids, config, limits, lambda: house.now)
    settings = {"content": "您好", "client_ref": "file", "lane": Lane.BULK} | settings
    request = Request((), door=Door.CONSOLE, **settings)
    return uploads.open(replace(house.client, **(client or {})), request)


def stored(house: House) -> Sequence[str]:
    with house.engine.connect() as connection:
        return connection.execute(select(message.c.mobile).order_by(message.c.id)).scalars().all()


def refusal(house: House, **settings: Any) -> tuple[Code, str]:
    with pytest.raises(Refusal) as caught:
        open_upload(house, **settings)
    return caught.value.code, caught.value.field


def test_portions_become_one_submission(house: House) -> None:
    upload = open_upload(house)
    assert upload.add(mobiles(0, 3)) == []
    assert upload.add(mobiles(3, 5)) == []
    assert (upload.entries, upload.accepted, house.count()) == (5, 5, 1)
    its, own = house.rows(Reply(Code.OK, "", upload.submission_id, 0, 0))
    assert (its.content, its.lane, its.door) == ("【某某医院】您好", "bulk", "console")
    assert [each.mobile for each in own] == [entry.mobile for entry in mobiles(0, 5)]
    assert [each.message.id for each in house.arrived] == [each.id for each in own]
    with house.engine.connect() as connection:
        assert sum(connection.execute(select(tally.c.messages)).scalars()) == 5


def test_refused_recipients_are_told_with_their_place(house: House) -> None:
    upload = open_upload(house)
    upload.add(mobiles(0, 2))
    refused = upload.add([Entry("123"), *mobiles(1, 4)])
    assert [(place, each.code) for place, each in refused] == [
        (2, Code.BAD_NUMBER),
        (3, Code.DUPLICATE),
    ]
    assert (upload.entries, upload.accepted) == (6, 4)


def test_an_upload_that_broke_off_goes_on_where_it_was(house: House) -> None:
    first = open_upload(house)
    first.add(mobiles(0, 3))
    again = open_upload(house)
    assert (again.submission_id, again.entries) == (first.submission_id, 3)
    assert again.add(mobiles(0, 2)) == []
    again.add(mobiles(2, 6))
    refused = again.add(mobiles(0, 1))
    assert [each.code for _, each in refused] == [Code.DUPLICATE]
    assert stored(house) == [entry.mobile for entry in mobiles(0, 6)]
    assert len(house.arrived) == 6


def test_a_commit_whose_answer_was_lost_is_not_repeated(house: House) -> None:
    upload = open_upload(house)
    lose_next_answer(house.engine)
    with pytest.raises(StoreUnavailable):
        upload.add(mobiles(0, 3))
    again = open_upload(house)
    again.add(mobiles(0, 3))
    assert (again.entries, len(stored(house))) == (3, 3)


def test_two_that_feed_one_upload_do_not_mix(house: House) -> None:
    one, other = open_upload(house), open_upload(house)
    one.add(mobiles(0, 3))
    with pytest.raises(Refusal, match="elsewhere") as caught:
        other.add(mobiles(0, 3))
    assert caught.value.code is Code.DUPLICATE
    assert len(stored(house)) == 3


def test_what_has_no_room_is_not_taken(house: House) -> None:
    upload = open_upload(house, capacity=3)
    with pytest.raises(SpoolFull):
        upload.add(mobiles(0, 4))
    assert (upload.entries, stored(house)) == (0, [])


def test_the_quota_holds_for_each_portion(house: House) -> None:
    upload = open_upload(house, client={"daily_quota": 3})
    upload.add(mobiles(0, 3))
    with pytest.raises(Refusal) as caught:
        upload.add(mobiles(3, 4))
    assert caught.value.code is Code.QUOTA_EXCEEDED
    assert upload.accepted == 3


def test_a_template_is_filled_for_each_recipient(house: House) -> None:
    upload = open_upload(house, content=None, template="visit", values={"time": "九点"})
    upload.add([Entry("13800000001", values={"name": "甲"})])
    upload.add([Entry("13800000002", values={"name": "乙"})])
    with house.engine.connect() as connection:
        texts = connection.execute(select(message.c.content).order_by(message.c.id)).scalars().all()
        common = connection.execute(select(submission.c.content)).scalar_one()
    assert texts == ["【某某医院】甲，请于九点就诊", "【某某医院】乙，请于九点就诊"]
    assert common is None


def test_a_faulty_upload_is_not_opened(house: House) -> None:
    assert refusal(house, client_ref="") == (Code.BAD_REQUEST, "clientRef")
    assert refusal(house, whole=True) == (Code.BAD_REQUEST, "replace")
    assert refusal(house, content="  ") == (Code.BAD_CONTENT, "content")
    open_upload(house).add(mobiles(0, 1))
    assert refusal(house, content="另一个") == (Code.BAD_REQUEST, "content")
    house.accept(Request([Entry("13800138000")], content="您好", client_ref="taken"))
    assert refusal(house, client_ref="taken") == (Code.DUPLICATE, "clientRef")


def test_an_upload_has_an_end(house: House) -> None:
    with pytest.raises(Refusal) as caught:
        open_upload(house).add([Entry("13800138000")] * (MOST_UPLOADED + 1))
    assert caught.value.field == "recipients"

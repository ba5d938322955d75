"""`sms-adapter source`: try, replay and status of a source, and `check --connect`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select

from adapter.commands.status import fetch
from adapter.config.model import Config, Source
from adapter.domain.errors import Code
from adapter.domain.ids import IdMaker, id_at
from adapter.domain.privacy import mask
from adapter.domain.values import Message, Reply, Submission
from adapter.intake.intake import Intake
from adapter.intake.limits import Limits
from adapter.sources import Sources
from adapter.sources.answers import notice_of
from adapter.sources.rows import request_of
from adapter.sources.settings import settings_of
from adapter.store.capacity import Capacity
from adapter.store.committer import Committer
from adapter.store.desk import Desk
from adapter.store.engine import open_engine
from adapter.store.schema import submission
from adapter.store.store_keys import open_seal
from adapter.store.watermarks import Watermark
from dbpoll.checkup import Finding, examine
from dbpoll.feeds.base import NoMarks
from dbpoll.source import Source as Polled
from dbpoll.values import Row, at_once

Told = dict[str, Any]
PAGE = 500


class SourceError(Exception):
    """There is no such source, or its database does not answer."""


def named(config: Config, name: str) -> Source:
    """Raises SourceError."""
    for source in config.sources:
        if source.name == name:
            return source
    known = ", ".join(source.name for source in config.sources) or "none is configured"
    raise SourceError(f"there is no source {name}; sources: {known}")


def connect(config: Config) -> Iterator[tuple[str, Finding]]:
    """What the databases of all enabled sources say (`check --connect`)."""
    zone = ZoneInfo(config.node.timezone)
    for source in config.sources:
        if source.enabled:
            for finding in examine(settings_of(source, zone)):
                yield source.name, finding


def try_out(config: Config, name: str, most: int) -> list[Told]:
    """The next rows as they would be sent; nothing is sent, nothing stays changed. Raises
    SourceError, and what the database raises."""
    configured = named(config, name)
    client = next(each for each in config.clients if each.account == configured.client)
    zone = ZoneInfo(config.node.timezone)
    marks = _Marks(config, name) if configured.strategy == "watermark" else NoMarks()
    polled = Polled(settings_of(configured, zone), at_once(lambda rows: []), marks=marks)
    try:
        rows = polled.peek(most)
    finally:
        polled.close()
    seen = _Seen()
    intake = Intake(seen, IdMaker(), config, Limits(zone, lambda account, since: 0))
    told: list[Told] = []
    for row in rows:
        seen.batch = []
        try:
            [reply] = intake.accept(client, [request_of(row, name, row.key)])
        except Exception as refusal:
            told.append(_shown(row, getattr(refusal, "code", "INTERNAL"), str(refusal), []))
            continue
        told.append(_shown(row, reply.code, reply.description, seen.batch))
    return told


def replay(config: Config, name: str, start: datetime, end: datetime) -> int:
    """Write what the store knows of the rows accepted in this time into the HIS once more; how
    many states there were. The node may run meanwhile. Raises SourceError, SealError."""
    configured = named(config, name)
    engine = open_engine(config.store.url)
    open_seal(engine, config.security.store_keys)
    committer = Committer(engine, "replay")
    ids = IdMaker(config.node.id)
    capacity = Capacity(config.store.capacity)
    desk = Desk(engine, committer, ids, capacity, lambda *_: "", lambda told: None)
    only = _only(config, configured)
    sources = Sources(only, _Nobody(), desk)
    home = sources.homes()[f"source:{name}"]
    written, after = 0, id_at(start)
    try:
        while True:
            with engine.connect() as connection:
                page = connection.execute(
                    select(submission.c.id)
                    .where(
                        submission.c.source == name,
                        submission.c.id > after,
                        submission.c.id < id_at(end),
                    )
                    .order_by(submission.c.id)
                    .limit(PAGE)
                ).scalars()
                found = list(page)
            if not found:
                return written
            after = found[-1]
            notices = [
                notice
                for made in found
                for view in desk.query(configured.client, submission_id=made)
                if (notice := notice_of(view, f"source:{name}")) is not None
            ]
            home(notices)
            written += len(notices)
    finally:
        sources.stop()
        engine.dispose()


def status(config: Config, name: str | None) -> list[Told]:
    """What the running node says of its sources. Raises UnreachableError."""
    return [each for each in fetch(config.web)["sources"] if name in (None, each["name"])]


def _only(config: Config, source: Source) -> Config:
    return replace(config, sources=(replace(source, enabled=True),))


def _shown(row: Row, code: str, text: str, messages: Sequence[tuple[str, Message]]) -> Told:
    return {
        "key": row.key,
        "code": str(code),
        "text": text,
        "messages": [
            {
                "mobile": mask(message.mobile),
                "carrier": message.carrier.value,
                "segments": message.segments,
                "content": message.content if message.content is not None else common,
            }
            for common, message in messages
        ],
    }


class _Seen:
    """Stands in the store's place: notes what would be stored, and stores nothing."""

    def __init__(self) -> None:
        self.batch: list[tuple[str, Message]] = []

    def offer(
        self, batch: Sequence[tuple[Submission, Sequence[Message]]], replace: Sequence[bool] = ()
    ) -> Callable[[], list[Reply | None]]:
        for its, messages in batch:
            self.batch += [(its.content or "", message) for message in messages]
        return lambda: [None for _ in batch]

    def first_answers(self, keys: Sequence[tuple[str, str, str]]) -> list[Reply | None]:
        return [None for _ in keys]


class _Nobody:
    """Stands in intake's place where no row is read."""

    def accept(self, client: object, requests: Sequence[object]) -> list[Reply]:
        return [Reply(Code.INTERNAL, "nothing is read", None, 0, 1) for _ in requests]

    def offer(self, client: object, requests: Sequence[object]) -> Callable[[], list[Reply]]:
        return lambda: self.accept(client, requests)


class _Marks:
    """A source's mark, to look only."""

    def __init__(self, config: Config, source: str) -> None:
        self._engine = open_engine(config.store.url)
        self._mark = Watermark(self._engine, Committer(self._engine, "look"), source)

    def read(self) -> str | None:
        try:
            return self._mark.read()
        finally:
            self._engine.dispose()

    def write(self, mark: str) -> None:
        """Nothing is kept."""

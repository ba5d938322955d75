"""Uploads: one submission of up to a million recipients, taken portion by portion.

A file of recipients need never lie in memory whole. Every portion is a commit of its own, small
enough that an urgent message does not wait for it, and its messages go out while the next ones
come.

Promises
    A portion is durable when `add` returns.
    An upload that broke off is opened again under its reference and fed from its beginning:
    what was taken before is known by its place and not taken again, and the terms stay those
    of the first opening.
    A number that gets the same text twice is noticed across portions.

Limits: an open upload remembers its numbers, about 0.15 KB each. Refused recipients are told to
the caller and not kept.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from adapter.config.model import Config
from adapter.domain.client import Client
from adapter.domain.errors import Code, Refusal
from adapter.domain.ids import IdMaker
from adapter.domain.numbers import Numbering
from adapter.domain.ports import UploadPort
from adapter.domain.values import Entry, Request, Result, Submission, Uploaded
from adapter.intake.content import Texts, Wording, templates
from adapter.intake.intake import utc_now
from adapter.intake.limits import Limits
from adapter.intake.reach import reaches
from adapter.intake.recipients import Recipients, Repeats, Sorted
from adapter.intake.terms import LONGEST_REF, Granted, is_storable

MOST_UPLOADED = 1_000_000
"""Recipients of one upload (R-1.1.3)."""

PORTION = 1_000
"""Recipients of one commit."""


class Uploads:
    """Opens uploads; safe to share between threads."""

    def __init__(
        self,
        store: UploadPort,
        ids: IdMaker,
        config: Config,
        limits: Limits,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._store = store
        self._ids = ids
        self._limits = limits
        self._clock = clock
        self._templates = templates(config.templates)
        numbering = Numbering((each.prefix, each.carrier) for each in config.ported)
        self._recipients = Recipients(numbering, reaches(config))

    def open(self, client: Client, request: Request) -> Upload:
        """Begin an upload, or go on with one that broke off. `request` has no entries yet, and
        a `client_ref`, by which it is found again.

        Raises Refusal where the request itself is at fault.
        """
        now = self._clock()
        _check(request)
        found = self._store.find(client.account, request.client_ref)
        if found is None:
            self._limits.admit(client, request.door, now)
        # What was accepted goes on, even if its time has passed since.
        moment = found.submission.accepted_at if found else now
        terms = Granted(client, moment).common_terms(request)
        texts = Texts(client.signature, client.max_segments)
        wording = Wording(request, self._templates, texts, open_end=True)
        its = Submission(
            id=self._ids.next(),
            client=client.account,
            door=request.door,
            source="",
            client_ref=request.client_ref,
            business=terms.business,
            lane=terms.lane,
            content=wording.common,
            extension=request.extension,
            pass_through=request.pass_through,
            business_key=request.business_key,
            receipt=request.receipt,
            accepted_at=now,
            due_at=terms.due_at,
            expire_at=terms.expire_at,
        )
        if found is not None and found.submission.content != wording.common:
            raise _bad("the upload was begun with another one", "content")

        def judge(its: Submission, entries: Sequence[Entry], repeats: Repeats) -> Sorted:
            ids = [its.id, *self._ids.take(len(entries))]
            digits = terms.extension_digits
            return self._recipients.sort(entries, ids, wording, texts, digits, repeats)

        begun = found or Uploaded(its, 0, 0)
        return Upload(self._store, self._limits, client, begun, judge, self._clock)


class Upload:
    """One upload under way; for one thread.

    `entries` and `accepted` count what is durable. After StoreUnavailable, open it anew.
    """

    def __init__(
        self,
        store: UploadPort,
        limits: Limits,
        client: Client,
        begun: Uploaded,
        judge: Callable[[Submission, Sequence[Entry], Repeats], Sorted],
        clock: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._limits = limits
        self._client = client
        self._its = begun.submission
        self._judge = judge
        self._clock = clock
        self._repeats = Repeats()
        self._fed = 0
        self.entries = begun.entries
        self.accepted = begun.accepted

    @property
    def submission_id(self) -> int:
        return self._its.id

    def add(self, entries: Sequence[Entry]) -> list[tuple[int, Result]]:
        """Take the next recipients, at best `PORTION` of them; returns after the commit. The
        refused ones, with their place in the upload.

        Raises Refusal (QUOTA_EXCEEDED, SPOOL_FULL, STORE_UNAVAILABLE, or DUPLICATE where another
        one feeds the same upload): nothing of these was taken.
        """
        if self._fed + len(entries) > MOST_UPLOADED:
            raise _bad(f"at most {MOST_UPLOADED} recipients", "recipients")
        known = max(0, min(self.entries - self._fed, len(entries)))
        refused: list[tuple[int, Result]] = []
        for portion in (entries[:known], entries[known:]):
            if portion:
                made = self._judge(self._its, portion, self._repeats)
                refused += [(self._fed + place, result) for place, result in made.refusals]
                if self._fed >= self.entries:
                    self._take(made, len(portion))
                self._fed += len(portion)
        return refused

    def _take(self, made: Sorted, entries: int) -> None:
        now, more = self._clock(), len(made.messages)
        self._limits.reserve(self._client, more, now)
        try:
            self._store.take(self._its, made.messages, self.entries, entries)
        except BaseException:
            self._limits.give_back(self._client, more, now)
            raise
        self.entries += entries
        self.accepted += more


def _check(request: Request) -> None:
    if not request.client_ref or not is_storable(request.client_ref, LONGEST_REF):
        raise _bad(f"an upload needs a reference of at most {LONGEST_REF} characters", "clientRef")
    if request.replace or request.whole:
        raise _bad("an upload can neither replace nor be taken whole or not at all", "replace")


def _bad(description: str, field: str) -> Refusal:
    return Refusal(Code.BAD_REQUEST, f"{field}: {description}", field)

"""Intake's answers and notices, in dbpoll's words.

A row with one recipient shows that message; MESSAGE_ID is the message's. A row with several is
told by all of them together, as the store knows them: submitted when all are, then delivered
if all were, cancelled if all were, else failed; its MESSAGE_ID is the submission's, and the
receipt table, where there is one, has a row for each recipient.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime

from msgspec import structs

from adapter.domain.errors import Code
from adapter.domain.ports import MessageView
from adapter.domain.states import FINAL, State
from adapter.domain.values import InboundNotice, Notice, Reply
from dbpoll.values import InboundRow, StateChange, Status, Taken

STATUS: Mapping[State, Status] = {
    State.SUBMITTED: Status.SUBMITTED,
    State.DELIVERED: Status.DELIVERED,
    State.UNDELIVERED: Status.FAILED,
    State.REJECTED: Status.FAILED,
    State.EXPIRED: Status.FAILED,
    State.UNKNOWN: Status.FAILED,
    State.CANCELLED: Status.CANCELLED,
}

_SEVERAL = re.compile(r"(\d+)/(\d+)")
_ON_THE_WAY = FINAL | {State.SUBMITTED}


def place_of(ref: str) -> int | None:
    """How many recipients a row has whose reference to one is `2/3`; None for one alone."""
    place = _SEVERAL.fullmatch(ref)
    return int(place[2]) if place else None


def taken_of(key: str, reply: Reply, accepted_at: datetime | None = None) -> Taken:
    """Intake's answer in dbpoll's words. `accepted_at`: see dbpoll's StateChange."""
    if reply.submission_id is None:
        return Taken(key, "", 0, reply.code, _refusal_text(reply))
    if len(reply.results) == 1:
        result = reply.results[0]
        return Taken(key, str(result.message_id), result.segments, accepted_at=accepted_at)
    segments = sum(result.segments for result in reply.results)
    text = ""
    if reply.refused:
        text = f"{reply.refused} of {len(reply.results)} refused: {_refusals(reply)}"
    return Taken(key, str(reply.submission_id), segments, "", text, accepted_at)


def _refusal_text(reply: Reply) -> str:
    return _refusals(reply) if len(reply.results) > 1 else reply.description


def _refusals(reply: Reply) -> str:
    """`BAD_NUMBER 2, NO_ROUTE 1`"""
    counts = Counter(str(result.code) for result in reply.results if result.message_id is None)
    return ", ".join(f"{code} {count}" for code, count in counts.items())


def change_of(notice: Notice, accepted_at: datetime | None = None) -> StateChange:
    """A notice about the only recipient of a row. `accepted_at`: see dbpoll's StateChange."""
    return StateChange(
        notice.client_ref,
        str(notice.message_id),
        STATUS[notice.state],
        notice.code or ("" if notice.state is State.SUBMITTED else notice.state),
        notice.text,
        notice.segments,
        notice.submitted_at,
        notice.done_at,
        accepted_at=accepted_at,
    )


def change_of_all(
    key: str, submission_id: int, total: int, views: Sequence[MessageView]
) -> StateChange | None:
    """The state of a row with `total` recipients; None while some are still on their way.
    or where nothing is known any more. Those that are not among `views` were refused."""
    if not views:
        return None
    states = Counter(view.state for view in views)
    if not _ON_THE_WAY.issuperset(states):
        return None
    status, code, text = Status.SUBMITTED, "", ""
    if FINAL.issuperset(states):
        refused = total - len(views)
        if states[State.DELIVERED] == total:
            status = Status.DELIVERED
        elif states[State.CANCELLED] == total:
            status = Status.CANCELLED
        else:
            status = Status.FAILED
        counts = [f"{state} {count}" for state, count in states.items()]
        text = ", ".join([*counts, f"refused {refused}"] if refused else counts)
        codes = {view.carrier_code or view.state for view in views}
        code = codes.pop() if len(codes) == 1 and not refused else str(Code.PARTIAL)
    submitted = [view.submitted_at for view in views if view.submitted_at is not None]
    done = [view.done_at for view in views if view.done_at is not None]
    return StateChange(
        key,
        str(submission_id),
        status,
        code,
        text,
        sum(view.segments for view in views),
        max(submitted, default=None),
        max(done, default=None) if status is not Status.SUBMITTED else None,
    )


def receipt_of(notice: Notice) -> StateChange:
    """A row of the receipt table."""
    return structs.replace(
        change_of(notice),
        code=notice.code,
        mobile=notice.mobile,
        state=notice.state,
        channel=notice.channel,
    )


def inbound_of(notice: InboundNotice) -> InboundRow:
    """A row of the inbound table."""
    return InboundRow(
        str(notice.inbound_id),
        notice.mobile,
        notice.content,
        notice.access_number,
        notice.extension,
        notice.client_ref,
        notice.received_at,
    )


def notice_of(view: MessageView, destination: str) -> Notice | None:
    """What was, or would have been, told of a message as it stands; None for states that are
    not told."""
    if view.state not in STATUS:
        return None
    return Notice(
        0,
        destination,
        view.message_id,
        view.submission_id,
        view.client_ref,
        view.ref,
        view.mobile,
        view.state,
        view.carrier_code,
        view.description,
        view.segments,
        view.channel,
        view.submitted_at,
        view.done_at,
    )

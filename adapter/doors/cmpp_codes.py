"""Our codes and states in CMPP's words (protocols: results of a submit, stats of a report)."""

from __future__ import annotations

import re
from collections.abc import Mapping

from adapter.domain.errors import Code
from adapter.domain.states import State
from adapter.domain.values import Notice

STRUCTURE, FLOW, OTHER, SOURCE = 1, 8, 9, 10
"""Structure error, flow control (come again), other, Src_Id error."""

_RESULTS: Mapping[Code, int] = {
    Code.BAD_REQUEST: STRUCTURE,
    Code.BAD_NUMBER: 13,
    Code.DUPLICATE: 13,
    Code.TOO_LONG: 6,
    Code.BAD_CONTENT: 76,
    Code.SENSITIVE_WORD: 76,
    Code.BLACKLISTED: 69,
    Code.NO_ROUTE: 72,
    Code.AUTH_FAILED: 68,
    Code.IP_DENIED: 68,
    Code.QUOTA_EXCEEDED: 77,
    Code.FREQUENCY_LIMIT: 77,
    # Nothing was taken, and it is worth coming again: all clients know how to with 8.
    Code.RATE_LIMITED: FLOW,
    Code.SPOOL_FULL: FLOW,
    Code.STORE_UNAVAILABLE: FLOW,
}
_STATS = {
    State.DELIVERED: "DELIVRD",
    State.UNDELIVERED: "UNDELIV",
    State.REJECTED: "REJECTD",
    State.EXPIRED: "EXPIRED",
    State.CANCELLED: "DELETED",
}
_STAT = re.compile(r"[\x21-\x7e]{1,7}")


def result_of(code: Code, field: str = "") -> int:
    """The result in the answer to a submit that is refused."""
    return SOURCE if field == "Src_Id" else _RESULTS.get(code, OTHER)


def stat_of(notice: Notice) -> str:
    """The stat of a report: the carrier's own where a text was not delivered and it says why."""
    if notice.state is State.UNDELIVERED and _STAT.fullmatch(notice.code):
        return notice.code
    return _STATS.get(notice.state, "UNKNOWN")

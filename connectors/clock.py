"""Time as carriers write it: always Beijing's, whatever the machine's."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

BEIJING = timezone(timedelta(hours=8))


def timestamp(now: datetime | None = None) -> int:
    """MMDDHHMMSS as the number that logins and sequence numbers carry."""
    moment = (now or datetime.now(BEIJING)).astimezone(BEIJING)
    return int(moment.strftime("%m%d%H%M%S"))

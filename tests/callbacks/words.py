"""The contract's words for events, without a node."""

from __future__ import annotations

from datetime import timedelta, timezone

from adapter.doors.translation import Translation

WORDING = Translation(timezone(timedelta(hours=8)))

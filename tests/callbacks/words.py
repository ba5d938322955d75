"""The contract's words for events, without a node."""

from __future__ import annotations

from datetime import timedelta, timezone
from typing import Any

from adapter.doors.service import Exchange

_NOBODY: Any = None
WORDING = Exchange(_NOBODY, _NOBODY, _NOBODY, timezone=timezone(timedelta(hours=8)))

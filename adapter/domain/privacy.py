"""Hiding whole phone numbers from everything that is not a message (promise 10)."""

from __future__ import annotations

import re

# Eleven digits of a mainland mobile number, not part of a longer number (ids have 18 or 19
# digits), with or without country code, as people write them: 138 0013 8000, 138-0013-8000.
_MOBILE = re.compile(r"(?<!\d)(?P<country>\+?86|0086)?(1[3-9]\d)[ -]?\d{4}[ -]?(\d{4})(?!\d)")


def mask(mobile: str) -> str:
    """`13800138000` as `138****8000`; what is too short for that becomes `****` alone."""
    return f"{mobile[:-8]}****{mobile[-4:]}" if len(mobile) >= 11 else "****"


def mask_all(text: str) -> str:
    """A text with every mobile number in it masked, and country codes left out."""
    return _MOBILE.sub(r"\2****\3", text)

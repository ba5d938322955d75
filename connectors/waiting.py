"""Waiting for an event, but not for ever."""

from __future__ import annotations

import asyncio


async def came_within(event: asyncio.Event, seconds: float) -> bool:
    """Whether the event came in time."""
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return False
    return True

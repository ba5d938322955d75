"""What a waiting message carries to the wire."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from adapter.domain.states import Carrier, Door, Lane
from adapter.domain.values import Message, Submission, Waiting

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def submission(content: str | None) -> Submission:
    return Submission(
        1, "his", Door.SOAP, "", "", "general", Lane.NORMAL, content, "", "", "", True,
        NOON, NOON, NOON,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("own", "common", "sent"),
    [
        (None, "common", "common"),
        ("own", "common", "own"),
        ("", "common", ""),
        ("own", None, "own"),
    ],
)
def test_a_message_sends_its_own_text_before_the_submissions(
    own: str | None, common: str | None, sent: str
) -> None:
    message = Message(2, 1, "", "13800138000", Carrier.MOBILE, own, 1)
    assert Waiting(message, submission(common)).content == sent

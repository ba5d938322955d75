"""A message on the wire: collects the answers of its segments and says how it ended.

A segment ends in one of four ways: taken, refused, not taken for now, or lost (it went to
the wire and no answer will come). The message has ended when every segment sent has.
"""

from __future__ import annotations

from msgspec import Struct, field

from adapter.config.model import LanePolicy
from adapter.dispatch.retry import backoff_ms
from adapter.domain.outcomes import Late, Outcome, PartResult, Verdict
from adapter.domain.values import Waiting
from connectors.values import Action, Answer

UNSENT = "UNSENT"


class Flight(Struct, eq=False, gc=False):
    """One attempt of one message over one channel."""

    waiting: Waiting
    channel: str
    policy: LanePolicy
    open: set[int]
    """Segments that have not ended; the message has when none is left."""
    sent_at: int = 0
    answers: dict[int, PartResult] = field(default_factory=dict)
    unanswered: tuple[int, ...] = ()
    again: tuple[int, ...] = ()
    refused_code: str = ""
    again_code: str = ""
    sent: bool = False
    turned_away: bool = False
    """The carrier asked for another channel."""

    size: int = 0
    """Segments of this sending."""

    def __post_init__(self) -> None:
        self.size = len(self.open)

    def answered(self, number: int, answer: Answer) -> bool:
        """A segment was answered; whether the message has ended by that."""
        if number not in self.open:
            return self._answered_late(number, answer)
        self.open.discard(number)
        self.sent = True
        self.answers[number] = PartResult(number, answer.ok, answer.id, answer.code)
        if not answer.ok:
            if answer.action is Action.PERMANENT:
                self.refused_code = answer.code
            else:
                self.again += (number,)
                self.again_code = answer.code
                self.turned_away |= answer.action is Action.OTHER_CHANNEL
        return not self.open

    def _answered_late(self, number: int, answer: Answer) -> bool:
        """An acceptance after the time-out still counts while the message is on the wire."""
        if self.open and number in self.unanswered and answer.ok:
            self._no_longer_unanswered(number)
            self.answers[number] = PartResult(number, True, answer.id, answer.code)
        return False

    def accepted_late(self, number: int, answer: Answer, now: int) -> Late | None:
        """An acceptance after the message has ended: what it adds to the outcome that was told."""
        if number not in self.unanswered or not answer.ok:
            return None
        self._no_longer_unanswered(number)
        part = PartResult(number, True, answer.id, answer.code)
        return Late(self.waiting.message.id, self.waiting.tries + 1, self.channel, part, now)

    def _no_longer_unanswered(self, number: int) -> None:
        self.unanswered = tuple(each for each in self.unanswered if each != number)

    def lost(self, number: int) -> bool:
        """A segment went to the wire and will not be answered; whether the message has ended by
        that."""
        if number not in self.open:
            return False
        self.open.discard(number)
        self.sent = True
        self.unanswered += (number,)
        return not self.open

    def unsent(self, number: int) -> bool:
        """A segment never reached the wire; whether the message has ended by that."""
        if number not in self.open:
            return False
        self.open.discard(number)
        self.again += (number,)
        self.again_code = self.again_code or UNSENT
        return not self.open

    @property
    def avoid(self) -> tuple[str, ...]:
        """The channels that turned the message away, this one last if it did."""
        before = self.waiting.avoid
        if not self.turned_away:
            return before
        return (*(name for name in before if name != self.channel), self.channel)

    def outcome(self, now: int, *, elsewhere: bool = False) -> Outcome:
        """How the ended message is to be recorded. `elsewhere`: there is a channel for it that
        has not turned it away."""
        if len(self.answers) == 1 and not (self.unanswered or self.again or self.refused_code):
            # Nearly every message; the long way comes to the same.
            (part,) = self.answers.values()
            its = self.waiting
            return Outcome(its, self.channel, Verdict.SUBMITTED, (part,), now, avoid=its.avoid)
        verdict, due_at, code = self._verdict(now, elsewhere=elsewhere)
        return Outcome(
            waiting=self.waiting,
            channel=self.channel,
            verdict=verdict,
            parts=[self.answers[number] for number in sorted(self.answers)],
            at=now,
            code=code,
            due_at=due_at,
            remaining=tuple(sorted((*self.unanswered, *self.again))),
            sent=self.sent,
            avoid=self.avoid,
        )

    def _verdict(self, now: int, *, elsewhere: bool) -> tuple[Verdict, int, str]:
        tries = self.waiting.tries - self.waiting.unsent + 1
        if self.refused_code:
            return Verdict.REJECTED, 0, self.refused_code
        if self.unanswered:
            return Verdict.DOUBT, now + int(self.policy.doubt_wait_s * 1000), ""
        if not self.again:
            return Verdict.SUBMITTED, 0, ""
        if not self.sent:
            # Nothing reached the wire: no fault of the message, so nothing to wait for.
            return Verdict.RETRY, now, UNSENT
        if self.turned_away and elsewhere and self.channel not in self.waiting.avoid:
            # Each channel can turn it away once, so this ends by itself.
            return Verdict.RETRY, now, self.again_code
        if tries >= self.policy.tries:
            return Verdict.REJECTED, 0, self.again_code
        return Verdict.RETRY, now + backoff_ms(self.policy, tries), self.again_code

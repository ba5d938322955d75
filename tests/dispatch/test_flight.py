"""How a message ends, for every combination of what may happen to its parts."""

from __future__ import annotations

import itertools
from enum import Enum

import pytest

from adapter.config.model import LanePolicy
from adapter.dispatch.flight import UNSENT, Flight
from adapter.domain.outcomes import Outcome, Verdict
from adapter.domain.states import DoubtRule, Lane
from adapter.domain.values import Waiting
from connectors.values import Action, Answer
from tests.dispatch.memory_spool import waiting

NOW = 1_000_000
POLICY = LanePolicy(Lane.NORMAL, DoubtRule.RESEND, 30.0, tries=3, backoff_min_s=2)


class Fate(Enum):
    """What may happen to a part."""

    TAKEN = "taken"
    BUSY = "busy"
    REFUSED = "refused"
    LOST = "lost"
    UNSENT = "unsent"


def fly(fates: tuple[Fate, ...], order: tuple[int, ...], tries: int = 0) -> Outcome:
    """Tell the flight of each part's fate in this order of numbers."""
    message = waiting(segments=len(fates))
    message.tries = tries
    flight = Flight(message, "main", POLICY, set(range(1, len(fates) + 1)))
    ended = [tell(flight, number, fates[number - 1]) for number in order]
    assert ended == [False] * (len(order) - 1) + [True]
    return flight.outcome(NOW)


def tell(flight: Flight, number: int, fate: Fate) -> bool:
    match fate:
        case Fate.TAKEN:
            return flight.answered(number, Answer(True, f"id-{number}", "0", Action.NONE))
        case Fate.BUSY:
            return flight.answered(number, Answer(False, "", "9", Action.RETRY))
        case Fate.REFUSED:
            return flight.answered(number, Answer(False, "", "5", Action.PERMANENT))
        case Fate.LOST:
            return flight.lost(number)
        case Fate.UNSENT:
            return flight.unsent(number)


def expected(fates: tuple[Fate, ...], tries: int) -> tuple[Verdict, str]:
    """The rules once more, as a table from the gravest to the mildest."""
    there = set(fates)
    if Fate.REFUSED in there:
        return Verdict.REJECTED, "5"
    if Fate.LOST in there:
        return Verdict.DOUBT, ""
    if there == {Fate.TAKEN}:
        return Verdict.SUBMITTED, ""
    if there == {Fate.UNSENT}:
        return Verdict.RETRY, UNSENT
    last = tries + 1 >= POLICY.tries
    return Verdict.REJECTED if last else Verdict.RETRY, "9" if Fate.BUSY in there else UNSENT


EVERY = [fates for parts in (1, 2, 3) for fates in itertools.product(Fate, repeat=parts)]


@pytest.mark.parametrize("tries", [0, POLICY.tries - 1])
def test_every_combination_of_fates_in_every_order(tries: int) -> None:
    for fates in EVERY:
        numbers = range(1, len(fates) + 1)
        for order in itertools.permutations(numbers):
            outcome = fly(fates, order, tries)
            assert (outcome.verdict, outcome.code) == expected(fates, tries), fates
            answered = [n for n in numbers if fates[n - 1] not in (Fate.LOST, Fate.UNSENT)]
            assert [part.number for part in outcome.parts] == answered
            assert [part.ok for part in outcome.parts] == [
                fates[number - 1] is Fate.TAKEN for number in answered
            ]
            open_ = (Fate.LOST, Fate.UNSENT, Fate.BUSY)
            assert outcome.remaining == tuple(n for n in numbers if fates[n - 1] in open_)


def test_a_doubt_waits_for_its_receipt_as_long_as_the_lane_says() -> None:
    outcome = fly((Fate.LOST,), (1,))
    assert outcome.due_at == NOW + 30_000


def test_what_never_reached_the_wire_goes_again_at_once_however_often() -> None:
    outcome = fly((Fate.UNSENT,), (1,), tries=1_000)
    assert (outcome.verdict, outcome.due_at) == (Verdict.RETRY, NOW)


def test_a_refusal_for_now_waits_longer_each_time() -> None:
    first = fly((Fate.BUSY,), (1,), tries=0).due_at - NOW
    second = fly((Fate.BUSY,), (1,), tries=1).due_at - NOW
    assert 1_000 <= first <= 2_000 <= second <= 4_000


def flight_of_two() -> Flight:
    message: Waiting = waiting(segments=2)
    return Flight(message, "main", POLICY, {1, 2})


def test_an_acceptance_that_comes_late_counts_while_the_rest_is_on_the_wire() -> None:
    flight = flight_of_two()
    assert not tell(flight, 1, Fate.LOST)
    assert not tell(flight, 1, Fate.TAKEN)
    assert tell(flight, 2, Fate.TAKEN)
    outcome = flight.outcome(NOW)
    assert (outcome.verdict, outcome.remaining) == (Verdict.SUBMITTED, ())
    assert [part.carrier_id for part in outcome.parts] == ["id-1", "id-2"]


@pytest.mark.parametrize("late", Fate)
def test_nothing_ends_twice(late: Fate) -> None:
    flight = flight_of_two()
    tell(flight, 1, Fate.TAKEN)
    assert tell(flight, 2, Fate.LOST)
    before = flight.outcome(NOW)
    assert not tell(flight, 1, late)
    assert not tell(flight, 2, late)
    assert flight.outcome(NOW) == before


OTHER = Answer(False, "", "84", Action.OTHER_CHANNEL)


def turned_away(channel: str, avoid: tuple[str, ...], tries: int, *, elsewhere: bool) -> Outcome:
    message = waiting()
    message.tries, message.avoid = tries, avoid
    flight = Flight(message, channel, POLICY, {1})
    assert flight.answered(1, OTHER)
    return flight.outcome(NOW, elsewhere=elsewhere)


def test_who_is_turned_away_goes_elsewhere_at_once_however_often_it_was_tried() -> None:
    outcome = turned_away("b", ("a",), POLICY.tries, elsewhere=True)
    assert (outcome.verdict, outcome.due_at, outcome.avoid) == (Verdict.RETRY, NOW, ("a", "b"))


@pytest.mark.parametrize(("avoid", "elsewhere"), [((), False), (("b",), True)])
def test_who_has_nowhere_else_to_go_waits_and_ends_as_any_other(
    avoid: tuple[str, ...], elsewhere: bool
) -> None:
    first = turned_away("b", avoid, 0, elsewhere=elsewhere)
    assert first.verdict is Verdict.RETRY
    assert first.due_at > NOW
    assert first.avoid == ("b",)
    last = turned_away("b", avoid, POLICY.tries - 1, elsewhere=elsewhere)
    assert (last.verdict, last.code) == (Verdict.REJECTED, "84")


def test_what_never_reached_the_wire_is_no_try() -> None:
    message = waiting()
    message.tries, message.unsent = 1_000, 1_000
    flight = Flight(message, "main", POLICY, {1})
    assert flight.unsent(1)
    assert not flight.outcome(NOW).sent
    message.tries = message.unsent + POLICY.tries - 2
    flight = Flight(message, "main", POLICY, {1})
    tell(flight, 1, Fate.BUSY)
    outcome = flight.outcome(NOW)
    assert (outcome.verdict, outcome.sent) == (Verdict.RETRY, True)

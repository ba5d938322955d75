"""What a drill came to, judged by what the carrier saw and what both databases hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field

from adapter.bench.sightings import Sightings
from adapter.domain.states import FINAL, DoubtRule, State
from adapter.drill.evidence import Stored


@dataclass(frozen=True, slots=True)
class Told:
    """Numbers, by what their caller heard in the end: accepted; delivered."""

    accepted: Set[str]
    delivered: Set[str]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Counts of messages. `unmarked` duplicates lack the mark `in_doubt`; `broken` says in
    words which promises did not hold."""

    accepted: int
    final: int
    lost: int
    duplicates: int
    unmarked: int
    unknown: int
    receipts_lost: int
    broken: Sequence[str] = field(default=())


def judge(
    told: Told,
    seen: Sightings,
    stored: Sequence[Stored],
    *,
    expected: int,
    rule: DoubtRule,
    in_doubt: int,
    most_in_doubt: int,
) -> Verdict:
    """Every message has a number of its own, and should have been accepted and sent once."""
    states: Mapping[str, str] = {each.mobile: each.state for each in stored}
    marked = {each.mobile for each in stored if each.in_doubt}
    extra = {number: times - 1 for number, times in seen.submits.items() if times > 1}
    unknown = {number for number, state in states.items() if state == State.UNKNOWN}
    twice = [number for number, times in Counter(s.mobile for s in stored).items() if times > 1]
    lost = told.accepted - seen.submits.keys() - unknown
    duplicates = sum(extra.values())
    unmarked = sum(times for number, times in extra.items() if number not in marked)
    receipts_lost = len(seen.receipts.keys() - told.delivered)
    final = sum(state in FINAL for state in states.values())
    waits = rule is DoubtRule.WAIT
    faults = {
        f"{expected - len(told.accepted)} were never accepted": len(told.accepted) < expected,
        f"{len(twice)} were accepted twice": bool(twice),
        f"{len(lost)} accepted messages were lost": bool(lost),
        f"{len(told.accepted) - final} have no final state": final < len(told.accepted),
        f"{receipts_lost} receipts did not come home": receipts_lost > 0,
        f"{unmarked} duplicates are not marked in_doubt": unmarked > 0,
        f"{duplicates} duplicates where the rule is to wait": waits and duplicates > 0,
        f"{duplicates} duplicates of {in_doubt} in doubt": duplicates > in_doubt,
        f"{len(unknown)} UNKNOWN of {in_doubt} in doubt": len(unknown) > in_doubt,
        f"{len(unknown)} UNKNOWN where the rule is to resend": not waits and bool(unknown),
        f"{len(unknown & seen.receipts.keys())} UNKNOWN have a receipt": (
            not unknown.isdisjoint(seen.receipts)
        ),
        f"{in_doubt} in doubt, more than the windows of all lives ({most_in_doubt})": (
            in_doubt > most_in_doubt
        ),
    }
    return Verdict(
        accepted=len(told.accepted),
        final=final,
        lost=len(lost),
        duplicates=duplicates,
        unmarked=unmarked,
        unknown=len(unknown),
        receipts_lost=receipts_lost,
        broken=[fault for fault, is_so in faults.items() if is_so],
    )

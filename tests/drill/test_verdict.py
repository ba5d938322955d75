"""A drill is judged: each broken promise is seen, and one that held is not blamed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from adapter.bench.sightings import Sightings
from adapter.domain.states import DoubtRule
from adapter.drill.evidence import Stored
from adapter.drill.verdict import Told, Verdict, judge

ALL = frozenset({"1", "2", "3"})
GOOD = [Stored(number, str(number), "DELIVERED", False) for number in (1, 2, 3)]
SUBMIT = {"event": "submit", "time": "2026-11-22T08:00:00.000000Z", "result": 0, "number": 1}


def sightings(folder: Path, submits: str, receipts: str) -> Sightings:
    """Of numbers of one digit."""
    log = folder / "carrier.jsonl"
    events = [SUBMIT | {"destination": number} for number in submits]
    events += [{"event": "receipt", "destination": number} for number in receipts]
    log.write_text("".join(json.dumps(event) + "\n" for event in events), encoding="utf-8")
    found = Sightings(log)
    found.look()
    return found


def verdict(
    seen: Sightings,
    stored: Sequence[Stored] = GOOD,
    *,
    accepted: frozenset[str] = ALL,
    delivered: frozenset[str] = ALL,
    rule: DoubtRule = DoubtRule.RESEND,
    in_doubt: int = 2,
) -> Verdict:
    told = Told(accepted, delivered)
    return judge(told, seen, stored, expected=3, rule=rule, in_doubt=in_doubt, most_in_doubt=4)


def test_every_promise_held(tmp_path: Path) -> None:
    found = verdict(sightings(tmp_path, "123", "123"))
    assert found == Verdict(3, 3, 0, 0, 0, 0, 0, [])


def test_a_marked_duplicate_is_within_the_promise(tmp_path: Path) -> None:
    stored = [GOOD[0], GOOD[1]._replace(in_doubt=True), GOOD[2]]
    found = verdict(sightings(tmp_path, "1232", "123"), stored)
    assert (found.duplicates, found.unmarked, found.broken) == (1, 0, [])


UNKNOWN = [GOOD[0]._replace(state="UNKNOWN"), *GOOD[1:]]


def test_what_never_left_may_end_unknown_where_the_rule_is_to_wait(tmp_path: Path) -> None:
    its: Any = {"delivered": ALL - {"1"}, "rule": DoubtRule.WAIT}
    found = verdict(sightings(tmp_path, "23", "23"), UNKNOWN, **its)
    assert (found.lost, found.unknown, found.broken) == (0, 1, [])


@pytest.mark.parametrize(
    ("submits", "stored", "more", "words"),
    [
        ("23", GOOD, {}, "1 accepted messages were lost"),
        ("1223", GOOD, {}, "1 duplicates are not marked in_doubt"),
        ("1223", GOOD, {"rule": DoubtRule.WAIT}, "1 duplicates where the rule is to wait"),
        ("1223", GOOD, {"in_doubt": 0}, "1 duplicates of 0 in doubt"),
        ("123", GOOD, {"in_doubt": 5}, "5 in doubt, more than the windows of all lives (4)"),
        ("123", GOOD, {"delivered": ALL - {"2"}}, "1 receipts did not come home"),
        ("123", GOOD, {"accepted": ALL - {"2"}}, "1 were never accepted"),
        ("123", [*GOOD, GOOD[0]._replace(id=4)], {}, "1 were accepted twice"),
        ("123", [*GOOD[1:], GOOD[0]._replace(state="ACCEPTED")], {}, "1 have no final state"),
        ("23", UNKNOWN, {}, "1 UNKNOWN where the rule is to resend"),
        ("123", UNKNOWN, {"rule": DoubtRule.WAIT}, "1 UNKNOWN have a receipt"),
        ("23", UNKNOWN, {"rule": DoubtRule.WAIT, "in_doubt": 0}, "1 UNKNOWN of 0 in doubt"),
    ],
)
def test_a_broken_promise_is_named(
    tmp_path: Path, submits: str, stored: list[Stored], more: dict[str, Any], words: str
) -> None:
    assert words in verdict(sightings(tmp_path, submits, "123"), stored, **more).broken


def test_a_log_is_read_while_it_grows(tmp_path: Path) -> None:
    found = sightings(tmp_path, "12", "1")
    log = tmp_path / "carrier.jsonl"
    line = json.dumps(SUBMIT | {"destination": "2"})
    with log.open("a", encoding="utf-8") as file:
        file.write(line[:20])
        file.flush()
        found.look()
        file.write(line[20:] + "\n")
    found.look()
    assert found.submits == {"1": 1, "2": 2}
    assert found.receipts == {"1": 1}

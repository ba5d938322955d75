"""The words of the contract, spelled as it spells them."""

from __future__ import annotations

from adapter.domain.errors import Code, SpoolFull, StoreUnavailable
from adapter.domain.states import FINAL, Carrier, Door, Lane, State

CODES = """OK PARTIAL AUTH_FAILED IP_DENIED CERT_DENIED SIGNATURE_INVALID DECRYPT_FAILED
BAD_REQUEST BAD_NUMBER BAD_CONTENT TOO_LONG TEMPLATE_UNKNOWN BLACKLISTED SENSITIVE_WORD
DUPLICATE FREQUENCY_LIMIT QUOTA_EXCEEDED RATE_LIMITED NO_ROUTE SPOOL_FULL STORE_UNAVAILABLE
NOT_FOUND INTERNAL"""
STATES = """ACCEPTED HELD QUEUED SENDING IN_DOUBT SUBMITTED DELIVERED UNDELIVERED REJECTED
EXPIRED CANCELLED UNKNOWN"""


def test_codes_and_states_of_the_contract() -> None:
    assert [code.value for code in Code] == CODES.split()
    assert [state.value for state in State] == STATES.split()


def test_six_states_are_final() -> None:
    assert {state.value for state in FINAL} == set(STATES.split()[-6:])


def test_lanes_stand_from_first_to_last() -> None:
    assert [lane.value for lane in Lane] == ["urgent", "realtime", "normal", "bulk"]


def test_doors_and_carriers() -> None:
    assert {door.value for door in Door} == {
        "soap", "http", "socket", "cmpp", "console", "dbpoll",
    }  # fmt: skip
    assert {carrier.value for carrier in Carrier} == {"mobile", "unicom", "telecom", "broadnet"}


def test_refusals_of_the_store_carry_their_codes() -> None:
    assert StoreUnavailable().code is Code.STORE_UNAVAILABLE
    full = SpoolFull(1_000_000)
    assert full.code is Code.SPOOL_FULL
    assert "1000000" in full.description
    assert str(full) == f"SPOOL_FULL: {full.description}"

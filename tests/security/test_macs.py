"""Signed requests; the vectors were made with the standard library's hmac."""

from __future__ import annotations

from dataclasses import replace

import pytest

from adapter.domain.client import Client
from adapter.security.macs import RequestMac, SignedRequest, is_signed

KEY = b"0123456789abcdef0123456789abcdef"
REQUEST = SignedRequest("POST", "/api/json/Send", b"OP-20260301-0001", b'{"content":"hi"}')
MACS = {
    "HMAC-SHA256": "4e8069dcd9616a2cf9b741cb8d41220747a6e8e5252b22aad1b32c057b392d2e",
    "HMAC-SM3": "142d131d8f6c46b39f07944a6f566d1c92a98b5df21b1f3329832c1651a206a0",
}
CLIENT = Client("his", hmac_keys={"2026a": KEY})


def header(algorithm: str = "HMAC-SHA256", **changed: str) -> str:
    parts = {
        "account": "his",
        "key": "2026a",
        "time": "2026-03-01T08:00:00Z",
        "nonce": "9f86d081884c7d65",
        "signature": MACS[algorithm],
    } | changed
    return f"{algorithm} " + ", ".join(f'{name}="{value}"' for name, value in parts.items())


@pytest.mark.parametrize("algorithm", MACS)
def test_a_signature_made_elsewhere_fits(algorithm: str) -> None:
    assert is_signed(header(algorithm))
    assert RequestMac.read(header(algorithm), REQUEST).fits(CLIENT)


def test_upper_and_lower_case_of_the_scheme_are_one() -> None:
    assert RequestMac.read(header().replace("HMAC-SHA256", "Hmac-Sha256"), REQUEST).fits(CLIENT)


@pytest.mark.parametrize(
    "request_",
    [
        replace(REQUEST, method="PUT"),
        replace(REQUEST, path="/api/json/Cancel"),
        replace(REQUEST, idempotency_key=b"OP-20260301-0002"),
        replace(REQUEST, idempotency_key=b""),
        replace(REQUEST, body=b'{"content":"ho"}'),
        # A line cannot become part of the body.
        replace(REQUEST, idempotency_key=b"", body=b'OP-20260301-0001\n{"content":"hi"}'),
    ],
)
def test_no_part_of_the_request_can_be_another(request_: SignedRequest) -> None:
    assert not RequestMac.read(header(), request_).fits(CLIENT)


@pytest.mark.parametrize(
    "changed",
    [
        {"account": "lis"},
        {"key": "2026b"},
        {"time": "2026-03-01T08:00:01Z"},
        {"nonce": "9f86d081884c7d66"},
        {"signature": "0" * 64},
    ],
)
def test_no_part_of_the_header_can_be_another(changed: dict[str, str]) -> None:
    keys = {"2026a": KEY}
    for client in (Client("his", hmac_keys=keys), Client("lis", hmac_keys=keys)):
        assert not RequestMac.read(header(**changed), REQUEST).fits(client)


def test_a_signature_of_the_other_algorithm_does_not_fit() -> None:
    mixed = header("HMAC-SM3", signature=MACS["HMAC-SHA256"])
    assert not RequestMac.read(mixed, REQUEST).fits(CLIENT)


def test_both_keys_fit_during_a_rotation() -> None:
    client = Client("his", hmac_keys={"2025": b"x" * 16, "2026a": KEY})
    assert RequestMac.read(header(), REQUEST).fits(client)


def test_without_keys_nothing_fits() -> None:
    assert not RequestMac.read(header(), REQUEST).fits(Client("his"))


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ("HMAC-SHA256", "lacks account, key, time, nonce, signature"),
        ("HMAC-SHA256 account=his", "once each"),
        (header() + ', account="lis"', "once each"),
        (header() + ', admin="true"', "once each"),
        (header(time="8 o'clock"), "time"),
        (header(nonce="short"), "nonce"),
        (header(nonce="nonce with spaces"), "nonce"),
        (header(signature="abc"), "signature"),
        (header(signature="g" * 64), "signature"),
    ],
)
def test_a_header_that_cannot_be_read_is_told_why(wrong: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        RequestMac.read(wrong, REQUEST)


def test_the_head_of_the_module_shows_a_header_that_is_read() -> None:
    shown = (
        'HMAC-SHA256 account="his", key="2026a", time="2026-03-01T08:00:00Z",\t'
        f'nonce="9f86d081884c7d65", signature="{MACS["HMAC-SHA256"].upper()}"'
    )
    assert RequestMac.read(shown, REQUEST).fits(CLIENT)

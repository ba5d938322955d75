"""Authenticators against the published values, and every deployed variant."""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import md5
from typing import Any

import pytest

from connectors.cmpp.auth import (
    NO_DIGEST,
    server_digest,
    server_matches,
    source_digest,
    source_matches,
    timestamp,
)
from tests.connectors.cmpp.test_pdus import VECTORS

CONNECTS = [
    v for v in VECTORS if v["pdu"] == "CMPP_CONNECT" and "shared_secret" in v.get("context", {})
]
RESPONSES = [
    v for v in VECTORS
    if v["pdu"] == "CMPP_CONNECT_RESP" and "AuthenticatorSource" in v.get("context", {})
]  # fmt: skip


@pytest.mark.parametrize("vector", CONNECTS, ids=lambda v: v["name"])
def test_source_digest_of_the_vectors(vector: dict[str, Any]) -> None:
    fields, secret = vector["fields"], vector["context"]["shared_secret"].encode()
    stamp = int(fields["Timestamp"])
    account = fields["Source_Addr"].encode()
    digest = bytes.fromhex(fields["AuthenticatorSource"])
    assert source_digest(account, secret, stamp) == digest
    assert source_matches(digest, account, secret, stamp)
    assert not source_matches(digest, account, secret + b"x", stamp)
    assert not source_matches(digest, account, secret, stamp + 1)


@pytest.mark.parametrize("vector", RESPONSES, ids=lambda v: v["name"])
def test_server_digest_of_the_vectors(vector: dict[str, Any]) -> None:
    source = bytes.fromhex(vector["context"]["AuthenticatorSource"])
    secret = vector["context"]["shared_secret"].encode()
    digest = bytes.fromhex(vector["fields"]["AuthenticatorISMG"])
    width = 1 if vector["version"] == "2.0" else 4
    assert server_digest(0, source, secret, width=width) == digest
    assert server_matches(digest, 0, source, secret)


def test_there_are_digests_to_check() -> None:
    assert len(CONNECTS) == 3
    assert len(RESPONSES) == 2


@pytest.mark.parametrize("status", [b"\0", bytes(4), b"0"])
def test_every_deployed_server_variant_is_taken(status: bytes) -> None:
    source = bytes(range(16))
    digest = md5(status + source + b"secret", usedforsecurity=False).digest()
    assert server_matches(digest, 0, source, b"secret")
    assert not server_matches(NO_DIGEST, 0, source, b"secret")


def test_short_accounts_are_taken_bare_and_padded() -> None:
    bare = source_digest(b"901", b"s", 309152315)
    padded = source_digest(b"901", b"s", 309152315, padded=True)
    assert bare != padded
    assert source_matches(bare, b"901", b"s", 309152315)
    assert source_matches(padded, b"901", b"s", 309152315)


def test_the_timestamp_is_beijings() -> None:
    assert timestamp(datetime(2026, 3, 8, 23, 15, 7, tzinfo=UTC)) == 309071507

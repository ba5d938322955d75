"""Digests of UsernameTokens, against a vector from elsewhere."""

from __future__ import annotations

import pytest

from adapter.domain.client import Client
from adapter.security.digests import TokenDigest

NONCE, CREATED = "LKqI6G/AikKCQrN0zqZFlg==", "2010-09-16T07:50:45Z"
DIGEST = "tuOSpGlFlIXsozq4HFNeeGeFLEI="


def digest(nonce: str = NONCE, created: str = CREATED, text: str = DIGEST) -> TokenDigest:
    found = TokenDigest.read(nonce, created, text)
    assert found is not None
    return found


def test_a_digest_made_elsewhere_fits() -> None:
    assert digest().fits(Client("his", digest_secrets=("userpassword",)))


def test_both_secrets_fit_during_a_rotation() -> None:
    assert digest().fits(Client("his", digest_secrets=("old one", "userpassword")))
    assert digest().fits(Client("his", digest_secrets=("userpassword", "new one")))


@pytest.mark.parametrize(
    "wrong",
    [
        digest(nonce="MKqI6G/AikKCQrN0zqZFlg=="),
        digest(created="2010-09-16T07:50:46Z"),
        digest(text="uuOSpGlFlIXsozq4HFNeeGeFLEI="),
        digest(text=""),
    ],
)
def test_another_part_does_not_fit(wrong: TokenDigest) -> None:
    assert not wrong.fits(Client("his", digest_secrets=("userpassword",)))


def test_without_a_secret_nothing_fits() -> None:
    assert not digest().fits(Client("his"))
    assert not digest().fits(Client("his", digest_secrets=("Userpassword",)))


@pytest.mark.parametrize(
    ("nonce", "created", "text"),
    [
        ("", CREATED, DIGEST),
        (NONCE, "", DIGEST),
        (NONCE, "yesterday", DIGEST),
        (NONCE, "0001-01-01T00:00:00+23:59", DIGEST),
        ("!", CREATED, DIGEST),
        (NONCE, CREATED, "é"),
        ("A" * 400, CREATED, DIGEST),
    ],
)
def test_a_token_with_a_part_missing_or_unreadable_is_none(
    nonce: str, created: str, text: str
) -> None:
    assert TokenDigest.read(nonce, created, text) is None


def test_the_stamp_tells_time_and_nonce() -> None:
    stamp = digest().stamp
    assert stamp.made_at.isoformat() == "2010-09-16T07:50:45+00:00"
    assert stamp.word != digest(nonce="MKqI6G/AikKCQrN0zqZFlg==").stamp.word

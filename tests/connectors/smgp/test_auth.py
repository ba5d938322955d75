"""Authenticators: the vectors' digests and every variant that is deployed."""

from __future__ import annotations

from hashlib import md5

import pytest

from connectors.smgp.auth import client_digest, client_matches, server_digest, server_matches
from tests.connectors.vectors import named


@pytest.mark.parametrize("name", ["smgp_login", "smgp_login_6char_clientid"])
def test_client_digest_of_the_vectors(name: str) -> None:
    vector = named(name)
    fields, context = vector["fields"], vector["context"]
    account, secret = fields["ClientID"].encode(), context["shared_secret"].encode()
    digest = client_digest(account, secret, fields["TimeStamp"])
    assert digest.hex() == fields["AuthenticatorClient"]
    assert client_matches(digest, account, secret, fields["TimeStamp"])
    assert not client_matches(digest, account, b"wrong", fields["TimeStamp"])


def test_a_short_client_id_may_be_padded_before_it_is_hashed() -> None:
    context = named("smgp_login_6char_clientid")["context"]
    padded = client_digest(b"106590", b"hs", 1231235959, padded=True)
    assert padded.hex() == context["digest_if_padded_to_8"]
    assert client_matches(padded, b"106590", b"hs", 1231235959)


def test_server_digest_of_the_vector() -> None:
    vector = named("smgp_login_resp_ok")
    client = bytes.fromhex(vector["context"]["AuthenticatorClient"])
    digest = server_digest(0, client, b"hospsecret")
    assert digest.hex() == vector["fields"]["AuthenticatorServer"]
    assert server_matches(digest, 0, client, b"hospsecret")
    assert server_matches(md5(b"0" + client + b"hospsecret").digest(), 0, client, b"hospsecret")
    assert not server_matches(bytes(16), 0, client, b"hospsecret")

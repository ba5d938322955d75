"""HTTPS: certificates are checked, and nothing is sent to whom they do not name."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from tests.certificates import Authority, self_signed
from tests.connectors.recorder import run, text
from tests.connectors.web.test_link import TAKEN, settings, standing
from tests.providers import Provider


@pytest.mark.parametrize(
    ("host", "trusted", "taken"),
    [("127.0.0.1", True, True), ("127.0.0.1", False, False), ("other.example", True, False)],
)
def test_a_certificate_is_checked(tmp_path: Path, host: str, trusted: bool, taken: bool) -> None:
    authority = Authority(tmp_path)
    pair = authority.sign("provider", host)
    ca = authority.ca if trusted else self_signed(tmp_path, "stranger", host).certificate
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pair.certificate, pair.key)

    async def test() -> None:
        with Provider(tls=context) as provider:
            provider.serve("/send", lambda _asked: TAKEN)
            url = provider.url("/send").replace("http:", "https:")
            async with standing(settings(url, ca=ca)) as (link, told):
                link.submit_many([text(1)])
                await told.until(lambda: bool(told.answers or told.unsent_tokens))
                assert bool(told.answers) == taken
                if not taken:
                    assert "certificate verify failed" in told.downs[0].lower()
            assert bool(provider.asked("/send")) == taken

    run(test())

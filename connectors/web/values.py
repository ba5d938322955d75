"""The values that stand in templates: constants of the account, digests, the moment, the text."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import time
from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta, timezone

from connectors.web.settings import Digest, WebSettings
from connectors.web.templates import Template, as_it_is

BEIJING = timezone(timedelta(hours=8))
"""Providers of the mainland write local time."""

OF_MOMENT = frozenset({"time", "short_time", "datetime", "timestamp", "millis", "nonce"})
OF_SUBMIT = frozenset({"mobile", "mobiles", "text", "source", "ref", "part", "parts", "count"})
OF_BATCH = frozenset({"entries"})
OF_PULL = frozenset({"cursor"})
OF_ACKNOWLEDGE = frozenset({"cursor", "ids"})
ALGORITHMS = ("md5", "sha1", "sha256", "sha512")
ENCODINGS = ("hex", "HEX", "base64")


class Values:
    """Fills in what every request of an account may use."""

    def __init__(
        self,
        settings: WebSettings,
        own: Collection[str] = (),
        now: Callable[[], float] = time.time,
    ) -> None:
        self._constants = dict(settings.values)
        self._now = now
        self.names = frozenset({*self._constants, *OF_MOMENT, *own})
        self._digests: list[tuple[Digest, Template]] = []
        for each in settings.digests:
            # A digest of what this request does not have is none of its values.
            try:
                made = Template(each.text, self.names, as_it_is)
            except ValueError:
                continue
            self._digests.append((each, made))
            self.names |= {each.name}

    def of(self, own: Mapping[str, str]) -> dict[str, str]:
        """All values for one request. Raises UnicodeEncodeError."""
        values = {**self._constants, **_moment(self._now()), **own}
        for each, made in self._digests:
            values[each.name] = digest(each, made.fill(values))
        return values


def digest(of: Digest, text: str) -> str:
    """In the configured form."""
    octets = text.encode(of.charset)
    if of.key:
        made = hmac.digest(of.key.encode(), octets, of.algorithm)
    else:
        # The provider chose the algorithm.
        made = hashlib.new(of.algorithm, octets, usedforsecurity=False).digest()
    if of.encoding == "base64":
        return base64.b64encode(made).decode()
    return made.hex().upper() if of.encoding == "HEX" else made.hex()


def _moment(now: float) -> dict[str, str]:
    local = datetime.fromtimestamp(now, BEIJING)
    return {
        "time": f"{local:%Y%m%d%H%M%S}",
        "short_time": f"{local:%m%d%H%M%S}",
        "datetime": f"{local:%Y-%m-%d %H:%M:%S}",
        "timestamp": str(int(now)),
        "millis": str(int(now * 1000)),
        "nonce": secrets.token_hex(16),
    }

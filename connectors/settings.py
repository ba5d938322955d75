"""What the two sides of a connection are told: where, who, how fast, how patient."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from connectors.pace import Pacing
from connectors.quirks import Quirks
from connectors.trace import Trace


@dataclass(frozen=True, slots=True)
class LinkSettings:
    """One TCP connection to a carrier. Times are seconds.

    `window`: unanswered submits allowed by the contract. `heartbeat_s`: silence after which
    the peer is asked; after `heartbeat_tries` unanswered tests it is dead. A login that is
    refused for its account, password or version is tried again no sooner than
    `refused_wait_s`, because repeated failures get an address locked. `account_padded`: hash
    an account shorter than its field with NUL padding (cmpp.md A5). `rest_s`: a link without
    traffic for so long takes leave, and binds again when there is something to send; 0 stays
    bound. `tls`: see `connectors.tls`; the server's certificate must name `tls_name`, or `host`
    where that is empty. `quirks`: habits of this peer, one value for all links of a channel.
    `own`: what the protocol alone knows, in its own class; None for its
    defaults. `trace` keeps the last frames, for all links of a channel together. `pace` is asked
    before anything is submitted, again or the first time: one for all links of an account, or
    `Together` with one of the link's own.
    """

    protocol: str
    version: str
    host: str
    port: int
    account: str
    password: str = field(repr=False)
    service_id: str = ""
    name: str = ""
    number: int = 1
    window: int = 16
    heartbeat_s: float = 60.0
    heartbeat_tries: int = 3
    response_timeout_s: float = 60.0
    connect_timeout_s: float = 10.0
    reconnect_min_s: float = 1.0
    reconnect_max_s: float = 60.0
    refused_wait_s: float = 30.0
    throttle_min_s: float = 0.1
    throttle_max_s: float = 10.0
    throttle_tries: int = 30
    account_padded: bool = False
    rest_s: float = 0.0
    fee_user_type: int = 2
    fee_type: str = "01"
    fee_code: str = "000000"
    tls: ssl.SSLContext | None = None
    tls_name: str = ""
    quirks: Quirks = field(default_factory=Quirks)
    own: Any = None
    trace: Trace | None = field(default=None, repr=False)
    pace: Pacing | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.window < 1:
            raise ValueError(f"window: {self.window} is less than 1")
        for name in ("heartbeat_s", "response_timeout_s", "connect_timeout_s", "reconnect_min_s"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name}: must be more than 0")


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """The server's side of a protocol. Times are seconds.

    `window`: deliveries a client may leave unanswered. `versions`: those that may log in,
    empty for all that the protocol has. `tls` is for connections that come in, `call_tls` for
    those that the server opens. `own`: what the protocol alone knows, in its own class; None
    for its defaults.
    """

    protocol: str = "cmpp"
    window: int = 16
    heartbeat_s: float = 60.0
    heartbeat_tries: int = 3
    response_timeout_s: float = 60.0
    login_timeout_s: float = 10.0
    versions: Sequence[str] = ()
    tls: ssl.SSLContext | None = None
    call_tls: ssl.SSLContext | None = None
    own: Any = None

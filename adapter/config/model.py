"""The configuration as frozen values, one class for each section of `xsd/config.xsd`.

Durations are seconds and sizes are bytes unless the name says otherwise. Defaults written
here are the defaults of the schema; a test compares the two.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from adapter.domain.client import Client
from adapter.domain.states import Carrier, DoubtRule, Lane
from connectors.codings import named
from connectors.splitting import Manner
from connectors.web.settings import Call, LongTexts, Result, Submission, WebSettings


@dataclass(frozen=True, slots=True)
class Node:
    """`id` (0..1023) goes into every message id: unique among nodes on one store."""

    name: str = "node-1"
    id: int = 0
    timezone: str = "Asia/Shanghai"


@dataclass(frozen=True, slots=True)
class Store:
    """`capacity`: waiting messages beyond which SPOOL_FULL is answered. `standby`: the URL of
    the replicated standby, if there is one. Both URLs may hold a password."""

    url: str = field(default="sqlite:///var/adapter.db", repr=False)
    capacity: int = 1_000_000
    standby: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Web:
    """`public_url` is what the WSDL publishes, without a path: http://host:port. `proxies`:
    addresses and networks of the proxies whose word on address and certificate counts."""

    host: str = "127.0.0.1"
    port: int = 8080
    public_url: str = ""
    proxies: Sequence[str] = ()
    threads: int = 16
    max_body: int = 20_000_000
    tls_certificate: str = ""
    tls_key: str = ""
    tls_ca: str = ""

    @property
    def scheme(self) -> str:
        """With a certificate the doors are reached by TLS."""
        return "https" if self.tls_certificate else "http"


@dataclass(frozen=True, slots=True)
class Socket:
    """The socket door. `window`: requests of one connection in work; `idle_s`: a connection
    without a whole frame for so long is closed; `answer_s`: so long a client may take to
    acknowledge what was pushed, and to read what was written."""

    host: str = "127.0.0.1"
    port: int = 8090
    connections: int = 1_000
    connections_per_client: int = 16
    max_frame: int = 4_000_000
    window: int = 32
    threads: int = 32
    login_s: float = 10.0
    idle_s: float = 180.0
    answer_s: float = 60.0
    tls_certificate: str = ""
    tls_key: str = ""
    tls_ca: str = ""


@dataclass(frozen=True, slots=True)
class CmppServer:
    """The CMPP door. `window`: submits of one connection without an answer, beyond which it
    hears "flow control"; `deliver_window`: what we push without an answer; `part_wait_s`: how
    long the parts of a text wait for the rest."""

    host: str = "127.0.0.1"
    port: int = 7891
    connections: int = 1_000
    connections_per_client: int = 16
    window: int = 500
    deliver_window: int = 32
    threads: int = 4
    login_s: float = 10.0
    heartbeat_s: float = 60.0
    heartbeat_tries: int = 3
    response_timeout_s: float = 60.0
    part_wait_s: float = 300.0
    tls_certificate: str = ""
    tls_key: str = ""
    tls_ca: str = ""


@dataclass(frozen=True, slots=True)
class Smgp:
    """What an SMGP contract says beside the account. `msg_src` is the enterprise code,
    `product` the MServiceID. `separate`: the first link receives, the others send."""

    msg_src: str = ""
    product: str = ""
    separate: bool = False


@dataclass(frozen=True, slots=True)
class Sgip:
    """What an SGIP contract says beside the account. `corp` is the enterprise code; a `node`
    of 0 stands for the node id that follows from it. `rest_s`: idle time after which a link
    unbinds until there is something to send, 0 for never."""

    corp: str
    node: int = 0
    rest_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Smpp:
    """What an SMPP contract says beside the account (connectors.smpp.settings, in words).
    `separate`: the first link receives, the others send."""

    separate: bool = False
    system_type: str = ""
    source_ton: int = 0
    source_npi: int = 0
    dest_ton: int = 1
    dest_npi: int = 1
    prefix: str = "86"
    alphabet: str = "gsm"
    long_texts: str = "udh"
    receipts_by_text: bool = False
    accepted_is_final: bool = False
    trailing_nul: bool = False


@dataclass(frozen=True, slots=True)
class Quirks:
    """What a gateway does otherwise than its protocol says (connectors.quirks, in words).
    `extension`: the sender may be longer than the access number. `long_reference`: bits of the
    number that joins the parts of a long text. `delivered_after_s`: so long
    without a report, and what was taken counts as delivered; 0: never."""

    report_ids: str = "auto"
    bare_answers: bool = False
    answers_heartbeats: bool = True
    sequence_from_zero: bool = False
    reports: bool = True
    gbk_as_ucs2: bool = False
    extension: bool = True
    delivered_after_s: float = 0.0
    long_reference: int = 8

    @property
    def wide_references(self) -> bool:
        return self.long_reference == 16


@dataclass(frozen=True, slots=True)
class Listener:
    """Where a gateway connects to us, from which `networks` (empty: any), with what login.

    With `tls_certificate` it comes by TLS, with `tls_ca` showing a certificate signed by that.
    """

    port: int
    account: str
    password: str = field(repr=False)
    host: str = "0.0.0.0"  # noqa: S104 - the gateway comes from outside
    networks: Sequence[str] = ()
    tls_certificate: str = ""
    tls_key: str = ""
    tls_ca: str = ""


@dataclass(frozen=True, slots=True)
class Channel:
    """An account at a carrier. `version` is the protocol's ("3.0", "2.0").

    `rate` is segments a second over all links together, `window` unanswered submits
    on one link. `encodings`: what texts may go out in (connectors.codings.WORDS); the one
    that needs the fewest segments is taken, the first of them among equals. `trace`: how many
    of the last frames are kept to be looked at.
    """

    name: str
    protocol: str
    version: str
    host: str
    port: int
    account: str
    password: str = field(repr=False)
    access_number: str
    service_id: str = ""
    links: int = 1
    window: int = 16
    rate: float = 100.0
    encodings: Sequence[str] = ("ucs2",)
    heartbeat_s: float = 60.0
    heartbeat_tries: int = 3
    response_timeout_s: float = 60.0
    connect_timeout_s: float = 10.0
    reconnect_min_s: float = 1.0
    reconnect_max_s: float = 60.0
    spare_number: str = ""
    tls: bool = False
    tls_ca: str = ""
    tls_name: str = ""
    tls_verify: bool = True
    tls_certificate: str = ""
    tls_key: str = ""
    enabled: bool = True
    trace: int = 0
    smgp: Smgp | None = None
    sgip: Sgip | None = None
    smpp: Smpp | None = None
    quirks: Quirks = Quirks()
    listener: Listener | None = None
    provider: WebSettings | None = None

    @property
    def whole_texts(self) -> bool:
        """Whether long texts are handed over in one, for the carrier to split."""
        if self.provider is not None:
            return self.provider.long_texts is LongTexts.WHOLE
        return self.smpp is not None and self.smpp.long_texts == "payload"

    @property
    def manner(self) -> Manner:
        """How it takes texts."""
        return Manner(named(self.encodings), self.quirks.wide_references)


@dataclass(frozen=True, slots=True)
class Route:
    """Channels for a carrier, first choice first."""

    carrier: Carrier
    channels: Sequence[str]


@dataclass(frozen=True, slots=True)
class Ported:
    """A number (or prefix) that another carrier serves than its segment says (携号转网)."""

    prefix: str
    carrier: Carrier


@dataclass(frozen=True, slots=True)
class Source:
    """A HIS table polled by dbpoll, sent on behalf of `client`; see dbpoll's Settings.

    `columns` maps a contract name (`ID`, `MOBILE`, ... of SMS_OUTBOUND) to the
    column's real name; a contract column mapped to "" does not exist there. `constants` and
    `defaults` are values by contract name. Tables named "" are not written. `statuses` are
    the hospital's words by ours (`new`, `taken`, ...), `sql` its statements by their element.
    """

    name: str
    client: str
    url: str = field(repr=False)
    table: str = "SMS_OUTBOUND"
    receipt_table: str = ""
    inbound_table: str = ""
    columns: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    constants: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    defaults: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    parameters: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    statuses: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    sql: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    results_url: str = field(default="", repr=False)
    strategy: str = "status"
    claim_by: str = "auto"
    where: str = ""
    encoding: str = ""
    row: str = "auto"
    resend: str = "refused"
    late_s: float = 60.0
    begin: str = "end"
    move_to: str = ""
    connections: int = 3
    channel: str = "sms_outbound"
    thick: str = ""
    statement_timeout_s: float = 15.0
    lock_timeout_s: float = 2.0
    batch: int = 500
    poll_min_s: float = 0.1
    poll_max_s: float = 2.0
    report_submitted: bool = True
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class CallbackCall:
    """A request for one event in the form of the client's own service. `answer` says what tells
    success; without it HTTP 2xx and no SOAP fault do."""

    call: Call
    answer: Result | None = None


@dataclass(frozen=True, slots=True)
class Callback:
    """Where events of the client `account` are brought, in our own `format` or, where they are
    given, by the calls `receipt` and `inbound`.

    `events` is what is brought. An event older than `give_up_s` that cannot be brought is dead.
    With a `secret` requests are signed, named `key_id`; with a `user` they show HTTP Basic.
    """

    account: str
    url: str = field(default="", repr=False)
    format: str = "json"
    events: Sequence[str] = ("receipts", "inbound")
    batch: int = 50
    connections: int = 4
    connect_timeout_s: float = 10.0
    response_timeout_s: float = 30.0
    max_answer: int = 64_000
    retry_min_s: float = 2.0
    retry_max_s: float = 600.0
    give_up_s: float = 3 * 86_400.0
    key_id: str = ""
    secret: str = field(default="", repr=False)
    algorithm: str = "hmac-sha256"
    user: str = ""
    password: str = field(default="", repr=False)
    ca: str = ""
    certificate: str = ""
    certificate_key: str = ""
    proxy: str = field(default="", repr=False)
    wsdl: str = ""
    service: str = ""
    port: str = ""
    headers: Sequence[tuple[str, str]] = field(default=(), repr=False)
    receipt: CallbackCall | None = None
    inbound: CallbackCall | None = None
    enabled: bool = True

    @property
    def mapped(self) -> bool:
        """Whether the client's service has a form of its own."""
        return self.receipt is not None or self.inbound is not None

    @property
    def transport(self) -> WebSettings:
        """The settings of its connections."""
        return WebSettings(
            f"callback-{self.account}",
            Submission(Call()),
            connect_timeout_s=self.connect_timeout_s,
            response_timeout_s=self.response_timeout_s,
            max_answer=self.max_answer,
            ca=self.ca,
            certificate=self.certificate,
            certificate_key=self.certificate_key,
            proxy=self.proxy,
            values=MappingProxyType({"account": self.account}),
        )


@dataclass(frozen=True, slots=True)
class Template:
    """`${name}` in `text` is replaced by the value of that name."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class LanePolicy:
    """How a lane deals with trouble.

    `doubt`: what becomes of a message whose submit was never answered; `doubt_wait_s`: how
    long a receipt may settle it before the rule is applied (rule `resend`) or before it
    becomes UNKNOWN (rule `wait`). `tries` counts all attempts.
    """

    lane: Lane
    doubt: DoubtRule
    doubt_wait_s: float
    tries: int = 8
    backoff_min_s: float = 2.0
    backoff_max_s: float = 600.0


def _lane_policies() -> Mapping[Lane, LanePolicy]:
    return MappingProxyType(
        {
            Lane.URGENT: LanePolicy(Lane.URGENT, DoubtRule.RESEND, 10.0, backoff_min_s=1.0),
            Lane.REALTIME: LanePolicy(Lane.REALTIME, DoubtRule.RESEND, 30.0),
            Lane.NORMAL: LanePolicy(Lane.NORMAL, DoubtRule.RESEND, 300.0),
            Lane.BULK: LanePolicy(Lane.BULK, DoubtRule.WAIT, 72 * 3600.0),
        }
    )


@dataclass(frozen=True, slots=True)
class Policies:
    """`active`: waiting messages held in memory at most; `receipt_wait_s`: after this
    long without a receipt a submitted message becomes UNKNOWN; `inbound_wait_s`: so long a
    long text from a phone waits for its missing parts."""

    lanes: Mapping[Lane, LanePolicy] = field(default_factory=_lane_policies)
    active: int = 10_000
    receipt_wait_s: float = 72 * 3600.0
    inbound_wait_s: float = 300.0
    stop_wait_s: float = 20.0


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup into the folder `to` every so often, of which the newest `keep` are kept."""

    to: str
    every_s: float = 86_400.0
    keep: int = 14


@dataclass(frozen=True, slots=True)
class Jobs:
    """`keep_days` for messages, inbound texts and receipts (R-1.2.3 asks for six months)."""

    keep_days: int = 200
    statistics_keep_days: int = 1_100
    notices_keep_days: int = 30
    backup: Backup | None = None


@dataclass(frozen=True, slots=True)
class Logging:
    """`file` empty logs to standard error; `format` is `json` or `text`."""

    level: str = "INFO"
    format: str = "json"
    file: str = ""


@dataclass(frozen=True, slots=True)
class Security:
    """`key_file` opens `{enc:...}` secrets. The first of `store_keys` wraps the keys that the store
    is sealed with, the others still unwrap them. After `wrong_tries` an account is locked at an
    address for `lock_s`. Signatures with a time hold for `clock_window_s` before and after it."""

    key_file: str = ""
    store_keys: Sequence[bytes] = field(default=(), repr=False)
    wrong_tries: int = 10
    lock_s: float = 900.0
    clock_window_s: float = 300.0


@dataclass(frozen=True, slots=True)
class Config:
    """A whole configuration, checked. Relative paths were resolved against `path`'s folder.
    A door that is None is not opened."""

    path: Path
    node: Node = field(default_factory=Node)
    store: Store = field(default_factory=Store)
    web: Web = field(default_factory=Web)
    socket: Socket | None = None
    cmpp_server: CmppServer | None = None
    channels: Sequence[Channel] = ()
    routes: Sequence[Route] = ()
    ported: Sequence[Ported] = ()
    clients: Sequence[Client] = ()
    callbacks: Sequence[Callback] = ()
    sources: Sequence[Source] = ()
    templates: Sequence[Template] = ()
    policies: Policies = field(default_factory=Policies)
    jobs: Jobs = field(default_factory=Jobs)
    security: Security = field(default_factory=Security)
    logging: Logging = field(default_factory=Logging)

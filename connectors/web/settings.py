"""What a channel over web services is told: whom to call, with what, and how answers read.

Every text in angle brackets of a configuration is a template: `${name}` is replaced by a value
(connectors/web/templates.py). A path finds a value in an answer: JMESPath in JSON, XPath in XML
with the namespaces taken off, a field's name in a form, a regular expression in plain text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType


class Format(StrEnum):
    """How a body is written. QUERY is a form in the address, without a body."""

    JSON = "json"
    XML = "xml"
    FORM = "form"
    QUERY = "query"
    TEXT = "text"


class Then(StrEnum):
    """What a provider's code means for the text.

    ACCEPTED: taken, as with "repeated request". DOUBT: nobody can tell, as with a lost answer.
    CLOSE: our account or address is at fault, not the text. After CLOSE and THROTTLE the text
    counts as not sent.
    """

    ACCEPTED = "accepted"
    RETRY = "retry"
    THROTTLE = "throttle"
    OTHER_CHANNEL = "other-channel"
    PERMANENT = "permanent"
    CLOSE = "close"
    DOUBT = "doubt"


class LongTexts(StrEnum):
    """A long text in one request, which the provider splits and reports once, or a request for
    each segment."""

    WHOLE = "whole"
    SEGMENTS = "segments"


@dataclass(frozen=True, slots=True)
class Call:
    """A request. With `operation` it is one of the WSDL's, `fields` are its arguments
    (`request.mobile` for one inside another) and `url` replaces the WSDL's address."""

    url: str = ""
    method: str = "POST"
    format: Format = Format.JSON
    charset: str = "UTF-8"
    content_type: str = ""
    operation: str = ""
    headers: Sequence[tuple[str, str]] = ()
    fields: Sequence[tuple[str, str]] = ()
    body: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """How the answer to a submit reads.

    `inside`: an XPath to the text of an XML answer that holds the answer proper. `each`: a path
    to one entry for each recipient: `id` is looked for there, `success` and `code` there and
    then in the whole answer, and an entry belongs to the recipient that its `mobile` names, or
    to the one in its place. A text is taken when `success` finds one of `success_is`; without
    `success`, when the HTTP status is 2xx and `id` finds something. `actions` say what to do
    about a `code`, `otherwise` about any other. Without `id` our own reference is the id by
    which receipts come.
    """

    format: Format = Format.JSON
    charset: str = ""
    inside: str = ""
    each: str = ""
    success: str = ""
    success_is: Sequence[str] = ()
    id: str = ""
    code: str = ""
    mobile: str = ""
    otherwise: Then = Then.PERMANENT
    actions: Mapping[str, Then] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Items:
    """How receipts, or inbound texts, read; those without a `mobile` (inbound) or without an
    `id` (receipts) are passed over.

    `delivered` and `pending` are words that `stat` may find: delivered, and not the last word;
    any other is a failure. `id` tells inbound texts apart when they come again.
    """

    format: Format = Format.JSON
    charset: str = ""
    inside: str = ""
    each: str = ""
    id: str = ""
    mobile: str = ""
    stat: str = ""
    submitted: str = ""
    done: str = ""
    text: str = ""
    destination: str = ""
    delivered: Sequence[str] = ("DELIVRD",)
    pending: Sequence[str] = ("ACCEPTD", "ENROUTE")


@dataclass(frozen=True, slots=True)
class Submission:
    """How texts are sent: up to `batch` recipients in a request. With `entry`, a template for one
    recipient, `${entries}` stands for all of them and texts may differ; without it only texts
    that are the same go together."""

    call: Call
    result: Result = Result()
    batch: int = 1
    separator: str = ","
    entry: str = ""


@dataclass(frozen=True, slots=True)
class Pull:
    """What we fetch every `interval_s`, at once again while something came. `cursor` is a path
    to what `${cursor}` is in the next request. `acknowledge` is called when what came is
    durable; `${ids}` are its ids."""

    name: str
    call: Call
    interval_s: float = 30.0
    cursor: str = ""
    receipts: Items | None = None
    inbound: Items | None = None
    acknowledge: Call | None = None


@dataclass(frozen=True, slots=True)
class Push:
    """What the provider sends to us, from `networks` (empty: any).

    `secret` is looked for in the header or in the query's field that is named; with
    `signature` that header holds the HMAC of the body under the secret, in hex or base64.
    `reply` goes back when everything is durable.
    """

    name: str
    networks: Sequence[str] = ()
    secret: str = field(default="", repr=False)
    header: str = ""
    query: str = ""
    signature: str = ""
    algorithm: str = "sha256"
    receipts: Items | None = None
    inbound: Items | None = None
    reply: str = ""
    reply_type: str = "application/json"


@dataclass(frozen=True, slots=True)
class Digest:
    """A value made of others: `${name}` is the digest of `text`, keyed (HMAC) where `key` is
    given; in `hex`, `HEX` or `base64`."""

    name: str
    text: str
    algorithm: str = "md5"
    encoding: str = "hex"
    charset: str = "UTF-8"
    key: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class WebSettings:
    """An account at a provider. Times are seconds, sizes octets.

    `window`: texts without an answer; `window / batch` requests are open at once. `ping` is a
    request that must succeed before texts are sent, and every `ping_every_s`. `ca`: a file with
    the certificates to trust instead of the system's. `certificate` and `certificate_key`: files
    with our own, where the provider asks for one. `id_with_mobile`: one id stands for all
    recipients of a request; with the number it is unique. `prefix` is put before numbers.
    """

    name: str
    submit: Submission
    number: int = 1
    window: int = 16
    response_timeout_s: float = 60.0
    connect_timeout_s: float = 10.0
    reconnect_min_s: float = 1.0
    reconnect_max_s: float = 60.0
    refused_wait_s: float = 30.0
    keep_alive_s: float = 4.0
    max_answer: int = 1_000_000
    long_texts: LongTexts = LongTexts.WHOLE
    ca: str = ""
    certificate: str = ""
    certificate_key: str = ""
    proxy: str = field(default="", repr=False)
    wsdl: str = ""
    service: str = ""
    port: str = ""
    prefix: str = ""
    id_with_mobile: bool = False
    values: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    digests: Sequence[Digest] = ()
    pulls: Sequence[Pull] = ()
    pushes: Sequence[Push] = ()
    ping: Call | None = None
    ping_result: Result | None = None
    ping_every_s: float = 60.0

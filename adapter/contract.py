# mypy: disable-error-code="misc,untyped-decorator"
# ruff: noqa: RUF012 (Spyne wants the members as a list in the class)
"""The contract: every operation and every field that other systems see, written down once.

WSDL and XSD are exported from these Spyne models, so a `doc` here is the `xs:documentation`
that an integrator reads. The service does nothing itself: it hands each request to the door's
call (`ctx.udc`), which knows who is calling.

Shaped for old toolkits (docs/integrator/soap.md):

- optional fields are `minOccurs="0"` and never nillable; arguments and results are required;
- ids are `xs:string`: they are 64-bit, and a JavaScript client (or a JSON one) keeps only
  53 bits of a number, so an `xs:long` would come back as another id. Digits in a string are
  safe in every language, and nobody calculates with an id;
- `code` and `state` are `xs:string` with their values in the documentation, because clients
  with a generated enumeration refuse a whole answer for one value that is new to them.
"""

from __future__ import annotations

from typing import Any

from adapter.domain.errors import Code
from adapter.domain.states import Lane, State
from adapter.spyne_compat import (
    Array,
    Boolean,
    ComplexModel,
    DateTime,
    Fault,
    Integer32,
    Service,
    Unicode,
    rpc,
)

NS = "urn:his-sms:exchange:1"
NAME = "SmsExchange"
CALLBACK_NAME = "SmsCallback"

MAX_RECIPIENTS = 10_000
MAX_IDS = 10_000
MAX_FETCH = 1_000
MAX_NOTIFY = 1_000
DEFAULT_FETCH = 100
MAX_ID = 2**63 - 1

_CODES = ", ".join(Code)
_STATES = ", ".join(State)
_LANES = ", ".join(Lane)


def _text(doc: str, max_len: int | None = None, *, required: bool = False) -> Any:
    limits = {} if max_len is None else {"max_len": max_len}
    return Unicode.customize(doc=doc, min_occurs=int(required), nillable=False, **limits)


def _number(doc: str, *, required: bool = False, **limits: int) -> Any:
    return Integer32.customize(doc=doc, min_occurs=int(required), nillable=False, **limits)


def _flag(doc: str, *, required: bool = False) -> Any:
    return Boolean.customize(doc=doc, min_occurs=int(required), nillable=False)


def _moment(doc: str, *, required: bool = False) -> Any:
    return DateTime.customize(doc=doc, min_occurs=int(required), nillable=False)


def _list(item: Any, name: str, doc: str, *, required: bool = False, limit: int = 0) -> Any:
    """A wrapped list of items called `name`.

    `limit` is checked by the reader and is no maxOccurs: Java's parsers refuse a schema with
    one beyond 5,000.
    """
    many = item.customize(nillable=False, min_occurs=0, max_occurs="unbounded")
    wrapped = Array(many, member_name=name, type_name=f"ArrayOf{name}")
    wrapped.__namespace__ = NS
    return wrapped.customize(
        doc=doc, min_occurs=int(required), nillable=False, max_items=limit or MAX_IDS
    )


def _id(doc: str, *, required: bool = False) -> Any:
    return _text(f"{doc} A 64-bit id in decimal digits.".strip(), required=required)


def _code(doc: str) -> Any:
    return _text(f"{doc} One of: {_CODES}. New values may be added.", required=True)


def _state(doc: str) -> Any:
    return _text(f"{doc} One of: {_STATES}. New values may be added.", required=True)


def _lane(doc: str) -> Any:
    # The lane that most use comes first: .NET's DataContractSerializer leaves the first value of
    # an optional enumeration out, and an urgent text would go as one without a lane.
    lanes = sorted(Lane, key=lambda lane: lane is not Lane.NORMAL)
    lane = Unicode(
        values=[str(lane) for lane in lanes],
        type_name="Lane",
        doc=doc,
        min_occurs=0,
        nillable=False,
    )
    # Else Spyne puts it into a namespace of its own, imported from nowhere.
    lane.__namespace__ = NS
    return lane


_WHEN = (
    "An xs:dateTime; without a zone it is the hospital's local time. "
    "Example: 2026-03-01T14:30:00+08:00."
)
_MOBILE = "Mobile number of the mainland: eleven digits, also with +86 or 0086 before them."


class Model(ComplexModel):
    """Base of the models: one namespace."""

    __namespace__ = NS
    __abstract__ = True


class Credentials(Model):
    """SOAP header with the account and password of the client. Instead of it a WS-Security
    UsernameToken (PasswordText) or HTTP Basic may be used."""

    _type_info = [
        ("account", _text("Account of the client.", 64, required=True)),
        ("password", _text("Password of the client.", 256, required=True)),
    ]


class ExchangeFault(Fault):
    """Detail of a fault: the whole request was refused."""

    __namespace__ = NS
    __type_name__ = "ExchangeFault"
    _type_info = [
        ("code", _code("Why the request was refused.")),
        ("description", _text("The same in words, for a person.")),
        (
            "field",
            _text(
                "The field at fault, such as recipients[3].mobile (items are counted from 1); "
                "absent where no single field is."
            ),
        ),
        (
            "retryAfter",
            _number(
                "Seconds after which it is worth trying again; absent where nobody knows, or "
                "where trying again does not help."
            ),
        ),
    ]


class Value(Model):
    """A value for a place in a template."""

    _type_info = [
        ("name", _text("Name of the place, as in the template: ${name}.", 64, required=True)),
        ("value", _text("What to put there; absent means nothing.")),
    ]


class Recipient(Model):
    """One recipient of a text that goes to all alike."""

    _type_info = [
        ("mobile", _text(_MOBILE, required=True)),
        ("ref", _text("The client's own id of this message; returned with it.", 64)),
    ]


class Entry(Model):
    """One recipient with a text, or template values, of its own."""

    _type_info = [
        ("mobile", _text(_MOBILE, required=True)),
        ("content", _text("Text of this message; else the request's content or template.")),
        ("values", _list(Value, "Value", "Values for the request's template.", limit=100)),
        ("ref", _text("The client's own id of this message; returned with it.", 64)),
    ]


_TEMPLATE = [
    ("template", _text("Name of a configured template, instead of content.", 64)),
    ("values", _list(Value, "Value", "Values for the places of the template.", limit=100)),
]

_ORDER = [
    (
        "extension",
        _text("Digits to put behind the client's own extension of the access number.", 20),
    ),
    ("lane", _lane("How urgent it is; the client's own lane where absent.")),
    ("scheduleAt", _moment(f"Send not before this time; at once where absent. {_WHEN}")),
    ("expireAt", _moment(f"Do not send after this time. {_WHEN}")),
    (
        "receipt",
        _flag("Whether final states are kept for FetchReceipts; true where absent."),
    ),
    (
        "passThrough",
        _text("Free text, returned with every answer, receipt and reply of it.", 200),
    ),
    (
        "businessKey",
        _text("What the text is about, an appointment number say; Cancel takes it.", 64),
    ),
    (
        "replace",
        _flag("Withdraw what is unsent under the same businessKey; false where absent."),
    ),
]

_HEAD = [
    (
        "clientRef",
        _text(
            "Idempotency key, unique for the client: a request repeated with it is not sent "
            "again, the first answer comes back.",
            64,
        ),
    ),
    (
        "business",
        _text("Kind of use, for statistics; the client's own where absent.", 64),
    ),
]


class SendRequest(Model):
    """One text, or template, to 1 to 10,000 recipients."""

    _type_info = [
        *_HEAD,
        ("content", _text("The text. Exactly one of content, template, encryptedContent.")),
        *_TEMPLATE,
        (
            "encryptedContent",
            _text("The text, encrypted under a key agreed upon: v1:KEY-ID:BASE64."),
        ),
        (
            "recipients",
            _list(
                Recipient,
                "Recipient",
                "1 to 10,000 recipients.",
                required=True,
                limit=MAX_RECIPIENTS,
            ),
        ),
        *_ORDER,
    ]


class SendBatchRequest(Model):
    """Up to 10,000 messages, each with a text or template values of its own."""

    _type_info = [
        *_HEAD,
        ("content", _text("Text of the entries that have none of their own.")),
        *_TEMPLATE,
        (
            "entries",
            _list(Entry, "Entry", "1 to 10,000 entries.", required=True, limit=MAX_RECIPIENTS),
        ),
        *_ORDER,
    ]


class Result(Model):
    """The answer for one recipient, in the order of the request."""

    _type_info = [
        ("mobile", _text("The number as it was given.")),
        ("ref", _text("As given.")),
        ("messageId", _id("Absent where this recipient was refused.")),
        ("segments", _number("Billed parts of the message.")),
        ("code", _code("OK, or why this recipient was refused.")),
        ("description", _text("The same in words, where it was refused.")),
    ]


class SendReply(Model):
    """What became of a request; given after it was durably stored."""

    _type_info = [
        ("code", _code("OK, PARTIAL, or why all recipients were refused.")),
        ("description", _text("The same in words.")),
        ("submissionId", _id("Absent where nothing was accepted.")),
        ("accepted", _number("How many messages were accepted.", required=True)),
        ("refused", _number("How many recipients were refused.", required=True)),
        ("passThrough", _text("As given.")),
        ("results", _list(Result, "Result", "One for each recipient, in order.")),
    ]


class QueryRequest(Model):
    """Which messages: by messageIds, or clientRef, or submissionId."""

    _type_info = [
        ("messageIds", _list(_id(""), "MessageId", "Up to 10,000 ids.", limit=MAX_IDS)),
        ("clientRef", _text("The clientRef of a Send or SendBatch.", 64)),
        ("submissionId", _id("The submissionId of a SendReply.")),
    ]


class Segment(Model):
    """One billed part of a message."""

    _type_info = [
        (
            "number",
            _number("Place in the message, from 1; 0: the carrier took it whole.", required=True),
        ),
        ("state", _state("Where it stands.")),
        ("carrierCode", _text("The carrier's own code, such as DELIVRD or MK:0001.")),
        ("submittedAt", _moment("When the carrier took it.")),
        ("doneAt", _moment("When its final state was reported.")),
    ]


class Message(Model):
    """A message and where it stands."""

    _type_info = [
        ("messageId", _id("Id of the message.", required=True)),
        ("submissionId", _id("Id of its submission.", required=True)),
        ("clientRef", _text("clientRef of its submission.")),
        ("ref", _text("As given with the recipient.")),
        ("mobile", _text("The number.", required=True)),
        ("state", _state("Where it stands.")),
        ("carrierCode", _text("The carrier's own code, such as DELIVRD or MK:0001.")),
        ("description", _text("The reason of the state, in words.")),
        ("channel", _text("Channel it went through.")),
        (
            "inDoubt",
            _flag("True where it may have been sent twice: an answer of the carrier was lost."),
        ),
        ("acceptedAt", _moment("When it was accepted.", required=True)),
        ("submittedAt", _moment("When the carrier took it.")),
        ("doneAt", _moment("When it became final.")),
        ("passThrough", _text("As given with the request.")),
        ("segmentCount", _number("How many parts are billed.", required=True)),
        ("segments", _list(Segment, "Segment", "Its parts, as far as they were submitted.")),
    ]


class QueryReply(Model):
    """The messages asked for, as far as they are the client's own."""

    _type_info = [
        ("code", _code("OK, or NOT_FOUND where there is none.")),
        ("messages", _list(Message, "Message", "The messages found.")),
    ]


_FETCH = [
    (
        "max",
        _number("How many at most, 1 to 1,000; 100 where absent.", ge=1, le=MAX_FETCH),
    ),
    (
        "cursor",
        _text("The cursor of an earlier answer, to go on behind it; else from the oldest.", 80),
    ),
]

_CURSOR = _text("Give it to the acknowledgement, or to the next fetch to go on.", required=True)
_MORE = _flag("True where more are waiting.", required=True)


class FetchReceiptsRequest(Model):
    """Asks for the receipts not yet acknowledged, oldest first."""

    _type_info = [*_FETCH]


class Receipt(Model):
    """The state that a message reached."""

    _type_info = [
        ("receiptId", _id("Id of this receipt: the same when it is fetched again.", required=True)),
        ("messageId", _id("Id of the message.", required=True)),
        ("submissionId", _id("Id of its submission.", required=True)),
        ("clientRef", _text("clientRef of its submission.")),
        ("ref", _text("As given with the recipient.")),
        ("mobile", _text("The number.", required=True)),
        ("state", _state("The state it reached.")),
        ("carrierCode", _text("The carrier's own code, such as DELIVRD or MK:0001.")),
        ("description", _text("The reason of the state, in words.")),
        ("segmentCount", _number("How many parts are billed.", required=True)),
        ("channel", _text("Channel it went through.")),
        ("submittedAt", _moment("When the carrier took it.")),
        ("doneAt", _moment("When it became final.")),
        ("passThrough", _text("As given with the request.")),
    ]


class FetchReceiptsReply(Model):
    """Receipts, oldest first. They come again until they are acknowledged."""

    _type_info = [
        ("receipts", _list(Receipt, "Receipt", "The receipts.")),
        ("cursor", _CURSOR),
        ("more", _MORE),
    ]


class AckReceiptsRequest(Model):
    """Says which receipts are safe with the client, by cursor or by their ids."""

    _type_info = [
        ("cursor", _text("Cursor of the answer whose receipts are all acknowledged.", 80)),
        ("receiptIds", _list(_id(""), "ReceiptId", "Up to 10,000 receipts.", limit=MAX_IDS)),
    ]


class FetchInboundRequest(Model):
    """Asks for the inbound texts not yet acknowledged, oldest first."""

    _type_info = [*_FETCH]


class Inbound(Model):
    """A text from a phone."""

    _type_info = [
        (
            "inboundId",
            _id("Id of this inbound text: the same when it is fetched again.", required=True),
        ),
        ("mobile", _text("The number it came from.", required=True)),
        ("content", _text("The text; control characters are replaced by a space.")),
        ("accessNumber", _text("The number it was sent to.", required=True)),
        ("extension", _text("The digits behind the access number.")),
        ("receivedAt", _moment("When it came.", required=True)),
        ("messageId", _id("The message it answers, where one is found.")),
        ("clientRef", _text("clientRef of the message it answers.")),
        ("passThrough", _text("passThrough of the message it answers.")),
    ]


class FetchInboundReply(Model):
    """Inbound texts, oldest first. They come again until they are acknowledged."""

    _type_info = [
        ("inbound", _list(Inbound, "Inbound", "The texts.")),
        ("cursor", _CURSOR),
        ("more", _MORE),
    ]


class AckInboundRequest(Model):
    """Says which inbound texts are safe with the client, by cursor or by their ids."""

    _type_info = [
        ("cursor", _text("Cursor of the answer whose texts are all acknowledged.", 80)),
        ("inboundIds", _list(_id(""), "InboundId", "Up to 10,000 texts.", limit=MAX_IDS)),
    ]


# Two members at least: zeep gives the only member in place of an answer that has but one.
_DONE = _code("OK where the request was carried out.")


class AckReply(Model):
    """What was acknowledged."""

    _type_info = [
        ("code", _DONE),
        (
            "acknowledged",
            _number(
                "How many. 0 after a cursor means that it was acknowledged before, or that "
                "something changed since: fetch again.",
                required=True,
            ),
        ),
    ]


class NotifyRequest(Model):
    """Events of one client, brought to its own service: receipts first, oldest first."""

    _type_info = [
        (
            "receipts",
            _list(Receipt, "Receipt", "Final states of messages.", limit=MAX_NOTIFY),
        ),
        ("inbound", _list(Inbound, "Inbound", "Texts from phones.", limit=MAX_NOTIFY)),
    ]


class NotifyReply(Model):
    """What the client says when all events of a request are safe with it."""

    _type_info = [
        (
            "code",
            _text("OK where all events are safe; after anything else they come again."),
        ),
        ("description", _text("The same in words, for the hospital's log.")),
    ]


class CancelRequest(Model):
    """Which messages to withdraw: by submissionId, or messageIds, or businessKey."""

    _type_info = [
        ("submissionId", _id("All messages of this submission.")),
        ("messageIds", _list(_id(""), "MessageId", "Up to 10,000 messages.", limit=MAX_IDS)),
        ("businessKey", _text("All messages sent under this key.", 64)),
    ]


class CancelReply(Model):
    """What could still be stopped."""

    _type_info = [
        ("code", _DONE),
        ("cancelled", _number("How many messages were not yet sent and are not.", required=True)),
    ]


class GetAccountReply(Model):
    """The calling client as it is configured."""

    _type_info = [
        ("account", _text("Its account.", required=True)),
        ("title", _text("Its name.")),
        ("signature", _text("Signature put in front of its texts.")),
        ("extension", _text("Its extension of the access number.")),
        ("business", _text("Kind of use where a request names none.")),
        ("lane", _text(f"Lane where a request names none. One of: {_LANES}.")),
        ("lanes", _list(_text(""), "Lane", "Lanes it may use; absent means all.")),
        ("ratePerMinute", _number("Submissions a minute; absent means no limit.")),
        ("dailyQuota", _number("Messages a day; absent means no limit.")),
        ("quotaLeft", _number("Messages left today; absent means no limit.")),
        ("monthlyQuota", _number("Messages a calendar month; absent means no limit.")),
        ("maxRecipients", _number("Recipients of one request.")),
        ("businesses", _list(_text(""), "Business", "Kinds of use it may name; absent means all.")),
        (
            "hours",
            _list(_text(""), "Hours", "When it may send, as 07:30-20:00; absent means always."),
        ),
        ("maxSegments", _number("Longest message, in billed parts.", required=True)),
        (
            "validitySeconds",
            _number("How long a message is tried where no expireAt is given.", required=True),
        ),
    ]


class PingReply(Model):
    """A sign of life."""

    _type_info = [
        ("time", _moment("The node's clock.", required=True)),
        ("version", _text("Version of the software.", required=True)),
        ("state", _text("running, or stopping.", required=True)),
    ]


def _operation(*arguments: Any, returns: Any, open_to_all: bool = False) -> Any:
    """Spyne's `rpc` with what every operation has in common."""
    named = {} if open_to_all else {"_in_header": (Credentials,)}
    return rpc(
        *(argument.customize(min_occurs=1, nillable=False) for argument in arguments),
        _returns=returns.customize(min_occurs=1, nillable=False),
        _throws=(ExchangeFault,),
        _wsdl_part_name="parameters",
        **named,
    )


class SmsExchange(Service):
    """SMS exchange of the hospital: send texts, follow them, fetch receipts and replies."""

    @_operation(SendRequest, returns=SendReply)
    def Send(ctx: Any, request: Any) -> Any:
        """Send one text, or template, to 1 to 10,000 recipients. Answered after the commit."""
        return ctx.udc("Send", request)

    @_operation(SendBatchRequest, returns=SendReply)
    def SendBatch(ctx: Any, request: Any) -> Any:
        """Send up to 10,000 messages, each with its own text or template values."""
        return ctx.udc("SendBatch", request)

    @_operation(QueryRequest, returns=QueryReply)
    def Query(ctx: Any, request: Any) -> Any:
        """Where messages stand."""
        return ctx.udc("Query", request)

    @_operation(FetchReceiptsRequest, returns=FetchReceiptsReply)
    def FetchReceipts(ctx: Any, request: Any) -> Any:
        """Final states not yet acknowledged. They come again until AckReceipts."""
        return ctx.udc("FetchReceipts", request)

    @_operation(AckReceiptsRequest, returns=AckReply)
    def AckReceipts(ctx: Any, request: Any) -> Any:
        """Acknowledge receipts: they are safe with the client and do not come again."""
        return ctx.udc("AckReceipts", request)

    @_operation(FetchInboundRequest, returns=FetchInboundReply)
    def FetchInbound(ctx: Any, request: Any) -> Any:
        """Texts from phones not yet acknowledged. They come again until AckInbound."""
        return ctx.udc("FetchInbound", request)

    @_operation(AckInboundRequest, returns=AckReply)
    def AckInbound(ctx: Any, request: Any) -> Any:
        """Acknowledge inbound texts: they are safe with the client and do not come again."""
        return ctx.udc("AckInbound", request)

    @_operation(CancelRequest, returns=CancelReply)
    def Cancel(ctx: Any, request: Any) -> Any:
        """Withdraw what is not yet sent."""
        return ctx.udc("Cancel", request)

    @_operation(returns=GetAccountReply)
    def GetAccount(ctx: Any) -> Any:
        """The client's limits, quota, signature and extension."""
        return ctx.udc("GetAccount")

    @_operation(returns=PingReply)
    def Ping(ctx: Any) -> Any:
        """A sign of life. Needs no credentials; where they are given they are checked."""
        return ctx.udc("Ping")

    @_operation(
        _text("Account of the client."),
        _text("Password of the client."),
        _text("Mobile numbers, separated by comma or semicolon."),
        _text("The text."),
        _text("Digits to put behind the client's extension, or empty."),
        returns=Unicode,
        open_to_all=True,
    )
    def SendText(
        ctx: Any, account: Any, password: Any, mobiles: Any, content: Any, extension: Any
    ) -> Any:
        """Send, with nothing but plain strings. The answer is code;submissionId;text, also
        where the request is refused: there is no fault. Accepted are OK and PARTIAL."""
        return ctx.udc("SendText", account, password, mobiles, content, extension)

    @_operation(
        _text("Account of the client."),
        _text("Password of the client."),
        _text("A request of any other operation as an XML document, such as <Send>."),
        returns=Unicode,
        open_to_all=True,
    )
    def Exchange(ctx: Any, account: Any, password: Any, xml: Any) -> Any:
        """Any operation as an XML document in a string. The answer is a document, too: the
        operation's response, or ExchangeFault where the request is refused."""
        return ctx.udc("Exchange", account, password, xml)


class SmsCallback(Service):
    """What a client offers, so that receipts and inbound texts are brought to it. Every event
    comes at least once: those whose receiptId or inboundId is known already are passed over."""

    @rpc(
        NotifyRequest.customize(min_occurs=1, nillable=False),
        _returns=NotifyReply.customize(min_occurs=1, nillable=False),
        _wsdl_part_name="parameters",
    )
    def Notify(ctx: Any, request: Any) -> Any:
        """Take these events. A fault, or a code other than OK, and they come again."""
        return ctx.udc("Notify", request)

"""The HTTP door: every operation as `POST /api/json/<Operation>` and `/api/xml/<Operation>`.

The JSON body is the request itself and the answer the result; the XML body is the document of
the contract, `<Send><request>...`, and the answer `<SendResponse>`. Refusals are answered in the
same form with code, description and field, and with the HTTP status of their code
(`STATUS`), also where a `SendReply` says that all recipients were refused.

`Idempotency-Key` is the `clientRef` of a request that has none. `Ping` and `GetAccount`, which
change nothing, also take GET.

Promises: as those of the SOAP door; nothing of a request is logged but its operation and the
code of the answer.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from lxml import etree

from adapter.contract import SmsExchange
from adapter.domain.errors import Code, Refusal
from adapter.doors import objects
from adapter.doors.access_log import CODE_KEY, OPERATION_KEY
from adapter.doors.batches import Answer, Glimpse
from adapter.doors.bodies import TooLarge, charset_of, read_body
from adapter.doors.credentials import basic, http_caller
from adapter.doors.decoding import decode
from adapter.doors.documents import Documents
from adapter.doors.elements import Elements
from adapter.doors.faults import internal, tell
from adapter.doors.markup import Markup, document
from adapter.doors.service import SENDING, Asked, Caller, Exchange
from adapter.doors.shapes import Shapes
from adapter.intake.terms import LONGEST_REF, is_storable

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

OPERATIONS = tuple(name for name in SmsExchange.public_methods if name != "Exchange")
"""`Exchange` is for those who have nothing but SOAP with strings."""

READING = frozenset({"Ping", "GetAccount"})
KEYED = SENDING
_JSON_OPENS = ("{", "[", '"')

STATUS: Mapping[Code, HTTPStatus] = {
    Code.OK: HTTPStatus.OK,
    Code.PARTIAL: HTTPStatus.OK,
    Code.AUTH_FAILED: HTTPStatus.UNAUTHORIZED,
    Code.SIGNATURE_INVALID: HTTPStatus.UNAUTHORIZED,
    Code.IP_DENIED: HTTPStatus.FORBIDDEN,
    Code.CERT_DENIED: HTTPStatus.FORBIDDEN,
    Code.BAD_REQUEST: HTTPStatus.BAD_REQUEST,
    Code.DECRYPT_FAILED: HTTPStatus.BAD_REQUEST,
    Code.NOT_FOUND: HTTPStatus.NOT_FOUND,
    Code.DUPLICATE: HTTPStatus.CONFLICT,
    Code.FREQUENCY_LIMIT: HTTPStatus.TOO_MANY_REQUESTS,
    Code.QUOTA_EXCEEDED: HTTPStatus.TOO_MANY_REQUESTS,
    Code.RATE_LIMITED: HTTPStatus.TOO_MANY_REQUESTS,
    Code.SPOOL_FULL: HTTPStatus.SERVICE_UNAVAILABLE,
    Code.STORE_UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
    Code.INTERNAL: HTTPStatus.INTERNAL_SERVER_ERROR,
}
"""The HTTP status of each code; 422 for those that say what is wrong with text or number."""


def status_of(code: str) -> HTTPStatus:
    """The HTTP status that goes with a code."""
    return STATUS.get(Code(code), HTTPStatus.UNPROCESSABLE_ENTITY)


class _Form(Protocol):
    """How requests and answers are written."""

    mime: str

    def read(self, name: str, body: bytes, charset: str | None) -> list[Any]:
        """The arguments of an operation. Raises Refusal(BAD_REQUEST)."""

    def write(self, name: str, result: Any) -> bytes:
        """The answer of an operation."""

    def refuse(self, refusal: Refusal) -> bytes:
        """The answer that refuses."""


class _Json:
    mime = "application/json; charset=utf-8"

    def __init__(self, shapes: Shapes) -> None:
        self._shapes = shapes

    def read(self, name: str, body: bytes, charset: str | None) -> list[Any]:
        value = None
        if body.strip():
            value = objects.parse(decode(body, charset, _JSON_OPENS).lstrip("\ufeff"))
        return objects.arguments(self._shapes[SmsExchange.public_methods[name].in_message], value)

    def write(self, name: str, result: Any) -> bytes:
        (member,) = self._shapes[SmsExchange.public_methods[name].out_message].members
        return _dumped(objects.written(member, result))

    def refuse(self, refusal: Refusal) -> bytes:
        told: dict[str, Any] = {"code": str(refusal.code), "description": refusal.description}
        if refusal.field:
            told["field"] = refusal.field
        if refusal.retry_after_s:
            told["retryAfter"] = refusal.retry_after_s
        return _dumped(told)


class _Xml:
    mime = "text/xml; charset=utf-8"

    def __init__(self, shapes: Shapes) -> None:
        self._documents = Documents(Elements(shapes))
        self._markup = Markup(shapes)

    def read(self, name: str, body: bytes, charset: str | None) -> list[Any]:
        if not body.strip() and name in READING:
            return []
        asked, arguments = self._documents.read(decode(body, charset))
        if asked != name:
            raise Refusal(Code.BAD_REQUEST, f"the document asks for {asked}, the path for {name}")
        return arguments

    def write(self, name: str, result: Any) -> bytes:
        model = SmsExchange.public_methods[name].out_message
        return document(self._markup, name, model, result)

    def refuse(self, refusal: Refusal) -> bytes:
        return _serialised(tell(None, refusal))


@dataclass(frozen=True, slots=True)
class _Answer:
    status: HTTPStatus
    body: bytes
    headers: list[tuple[str, str]] = field(default_factory=list)


class _Ready(NamedTuple):
    """A request that was read."""

    name: str
    caller: Caller
    arguments: list[Any]


class HttpDoor:
    """The operations over plain HTTP; `xml` and `json` are WSGI applications, `several_xml` and
    `several_json` take several requests that send at a time."""

    def __init__(self, exchange: Exchange, max_body: int = 20_000_000) -> None:
        shapes = Shapes()
        self._exchange = exchange
        self._max_body = max_body
        self._json = _Json(shapes)
        self._xml = _Xml(shapes)

    def json(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """For /api/json."""
        return self._serve(environ, start_response, self._json)

    def xml(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """For /api/xml."""
        return self._serve(environ, start_response, self._xml)

    def several_json(self, environs: Sequence[WSGIEnvironment]) -> Sequence[Answer]:
        """For /api/json."""
        return self._several(environs, self._json)

    def several_xml(self, environs: Sequence[WSGIEnvironment]) -> Sequence[Answer]:
        """For /api/xml."""
        return self._several(environs, self._xml)

    def _serve(
        self, environ: WSGIEnvironment, start_response: StartResponse, form: _Form
    ) -> Iterable[bytes]:
        answer = _sent(self._answer(environ, form), form)
        start_response(answer.status, answer.headers)
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [answer.body]

    def _several(self, environs: Sequence[WSGIEnvironment], form: _Form) -> list[Answer]:
        """The answers to requests that send, taken in by one call."""
        answers: list[_Answer | None] = [None] * len(environs)
        asked: list[tuple[int, Asked]] = []
        for place, environ in enumerate(environs):
            try:
                ready = self._prepare(environ, form)
            except Exception as error:
                answers[place] = _failed(environ, form, error)
            else:
                if isinstance(ready, _Answer):
                    answers[place] = ready
                else:
                    asked.append((place, Asked(ready.caller, ready.name, ready.arguments[0])))
        told = self._exchange.run_together([each for _, each in asked])
        for (place, each), result in zip(asked, told, strict=True):
            environ = environs[place]
            if isinstance(result, Exception):
                answers[place] = _failed(environ, form, result)
            else:
                answers[place] = _answered(environ, form, each.operation, result)
        return [_sent(answer, form) for answer in answers if answer is not None]

    def _answer(self, environ: WSGIEnvironment, form: _Form) -> _Answer:
        try:
            ready = self._prepare(environ, form)
            if isinstance(ready, _Answer):
                return ready
            result = self._exchange.run(ready.name, ready.caller, *ready.arguments)
            return _answered(environ, form, ready.name, result)
        except Exception as error:
            return _failed(environ, form, error)

    def _prepare(self, environ: WSGIEnvironment, form: _Form) -> _Ready | _Answer:
        """A request that was read, or what is wrong with its path or method. Raises Refusal."""
        name = environ.get("PATH_INFO", "").strip("/")
        if name not in OPERATIONS:
            known = ", ".join(OPERATIONS)
            refusal = Refusal(Code.NOT_FOUND, f"there is no such operation; there are: {known}")
            return _refused(environ, form, refusal, HTTPStatus.NOT_FOUND)
        environ[OPERATION_KEY] = name
        allowed = ("GET", "HEAD", "POST") if name in READING else ("POST",)
        if environ["REQUEST_METHOD"] not in allowed:
            refusal = Refusal(Code.BAD_REQUEST, f"{name} takes {', '.join(allowed)}")
            answer = _refused(environ, form, refusal, HTTPStatus.METHOD_NOT_ALLOWED)
            answer.headers.append(("Allow", ", ".join(allowed)))
            return answer
        body = read_body(environ, self._max_body)
        arguments = form.read(name, body, charset_of(environ))
        if name in KEYED:
            _take_key(arguments[0], environ.get("HTTP_IDEMPOTENCY_KEY", ""))
        return _Ready(name, http_caller(environ, body), arguments)


def account_of(glimpse: Glimpse) -> str | None:
    """Whose request that sends this is, by Basic. Other proofs are good for one time, and
    remembered by a commit each: those run alone."""
    if glimpse.path.strip("/") not in KEYED:
        return None
    if not glimpse.authorization:
        return ""
    account, _ = basic(glimpse.authorization)
    return account or None


def _answered(environ: WSGIEnvironment, form: _Form, name: str, result: Any) -> _Answer:
    code = getattr(result, "code", None) or Code.OK
    environ[CODE_KEY] = str(code)
    return _Answer(status_of(code), form.write(name, result))


def _failed(environ: WSGIEnvironment, form: _Form, error: Exception) -> _Answer:
    match error:
        case TooLarge():
            return _refused(environ, form, error, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        case Refusal():
            return _refused(environ, form, error, status_of(error.code))
        case _:
            return _refused(environ, form, internal(error), status_of(Code.INTERNAL))


def _sent(answer: _Answer, form: _Form) -> Answer:
    headers = [
        ("Content-Type", form.mime),
        ("Content-Length", str(len(answer.body))),
        *answer.headers,
    ]
    return Answer(f"{answer.status.value} {answer.status.phrase}", answer.body, headers)


def _take_key(request: Any, key: str) -> None:
    """The header's key as the request's clientRef."""
    if not key:
        return
    if not is_storable(key, LONGEST_REF):
        raise Refusal(
            Code.BAD_REQUEST,
            f"Idempotency-Key: at most {LONGEST_REF} characters, no control characters",
            "clientRef",
        )
    if request.clientRef and request.clientRef != key:
        raise Refusal(
            Code.BAD_REQUEST, "clientRef: differs from the header Idempotency-Key", "clientRef"
        )
    request.clientRef = key


def _refused(
    environ: WSGIEnvironment, form: _Form, refusal: Refusal, status: HTTPStatus
) -> _Answer:
    environ[CODE_KEY] = str(refusal.code)
    answer = _Answer(status, form.refuse(refusal))
    if status is HTTPStatus.UNAUTHORIZED:
        answer.headers.append(("WWW-Authenticate", 'Basic realm="SmsExchange", charset="UTF-8"'))
    if refusal.retry_after_s:
        answer.headers.append(("Retry-After", str(refusal.retry_after_s)))
    return answer


def _dumped(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def _serialised(element: etree._Element) -> bytes:
    written: bytes = etree.tostring(element, xml_declaration=True, encoding="UTF-8")
    return written

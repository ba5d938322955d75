# mypy: disable-error-code="misc"
"""The SOAP door: SOAP 1.1 and 1.2, told apart by the envelope, not by the address.

Spyne dispatches and holds the contract; this door feeds it a tree that is already parsed
(`decoding`), has the models read and written by `elements`, and writes every fault the
same way: Client or Server, with code, description and field in the detail.

Promises: every POST is answered with an envelope, whatever it held; nothing of a request is
logged but its operation and the code of the answer; the WSDL is made once, at the start, with
the configured address, never from a Host header.

Limits: the body is read into memory whole, up to `max_body` octets, packed (gzip) or not.
Attachments (SwA, MTOM) are refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any

import structlog
from lxml import etree

from adapter.contract import NAME, NS, SmsExchange
from adapter.domain.errors import Code, Refusal
from adapter.doors.access_log import CODE_KEY, OPERATION_KEY
from adapter.doors.batches import Answer, Glimpse
from adapter.doors.bodies import TooLarge, charset_of, read_body
from adapter.doors.credentials import BLOCKS, basic, soap_caller
from adapter.doors.decoding import decode, parse
from adapter.doors.documents import Documents, exchange_documents
from adapter.doors.elements import Elements, write_text
from adapter.doors.faults import fault_of, internal, is_ours, refusal_of, tell
from adapter.doors.mandatory import NotUnderstood, check_mandatory
from adapter.doors.markup import DECLARATION, Markup
from adapter.doors.service import SENDING, Asked, Caller, Exchange
from adapter.doors.shapes import Shapes
from adapter.doors.wsdl import build_wsdl
from adapter.security.signatures import EnvelopeSignature, SignatureError, take_signature
from adapter.spyne_compat import (
    NS_SOAP11_ENV,
    NS_SOAP12_ENV,
    Application,
    MethodContext,
    ServerBase,
    Soap11,
    Soap12,
)

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

log = structlog.get_logger(__name__)

_FAULT_STATUS = "500 Internal Server Error"
_SENDING = {f"{{{NS}}}{name}": name for name in SENDING}
_BODY = re.compile(rb"<(?:[\w.-]+:)?Body(?:\s[^<>]*)?>\s*<(?:[\w.-]+:)?([\w.-]+)")
_ACCOUNT = re.compile(rb"<(?:[\w.-]+:)?(?:account|Username)(?:\s[^<>]*)?>\s*([\w.-]{1,64})\s*<")
_NAMES = frozenset(name.encode() for name in SENDING)
_ONCE = (b"Signature", b"#PasswordDigest")
_XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"


class _Ours:
    """What both protocols do alike; stands before Spyne's class in the order of classes."""

    elements: Elements
    ns_soap_env: str
    soap_env: str

    def create_in_document(self, ctx: Any, charset: str | None = None) -> None:
        """Nothing to do: the door has parsed the request."""

    def decompose_incoming_envelope(self, ctx: Any, message: Any = None) -> None:
        """Find header and operation in the envelope."""
        body = ctx.in_document.find(f"{{{self.ns_soap_env}}}Body")
        if body is None or len(body) == 0:
            raise fault_of(Refusal(Code.BAD_REQUEST, "the envelope has no operation in its Body"))
        if len(body) > 1:
            raise fault_of(Refusal(Code.BAD_REQUEST, "the Body has more than one operation"))
        operation = body[0].tag
        if operation not in ctx.app.interface.service_method_map:
            known = operation.rpartition("}")[2] in SmsExchange.public_methods
            wrong = f"is in a wrong namespace, not {NS}" if known else "does not exist"
            raise fault_of(Refusal(Code.BAD_REQUEST, f"the operation {wrong}"))
        ctx.in_header_doc = ctx.in_document.find(f"{{{self.ns_soap_env}}}Header")
        ctx.in_body_doc = body[0]
        ctx.method_request_string = operation

    def from_element(self, ctx: Any, model: Any, element: etree._Element) -> Any:
        """The operation's arguments; headers are not wanted here, `soap_caller` reads them."""
        if model is not ctx.descriptor.in_message:
            return None
        try:
            return self.elements.arguments(model, element)
        except Refusal as refusal:
            raise fault_of(refusal) from None

    def serialize(self, ctx: Any, message: Any) -> None:
        """Write the envelope of the response. (Spyne's own formats a stack for every one.)"""
        model = ctx.descriptor.out_message
        (name,) = model._type_info
        ctx.out_document, body = self.envelope()
        response = etree.SubElement(body, f"{{{NS}}}{model.get_type_name()}")
        self.elements.fill(model, {name: ctx.out_object[0]}, response)

    def envelope(self) -> tuple[etree._Element, etree._Element]:
        """An empty envelope, and its Body."""
        names = {self.soap_env: self.ns_soap_env, "tns": NS}
        envelope = etree.Element(f"{{{self.ns_soap_env}}}Envelope", nsmap=names)
        return envelope, etree.SubElement(envelope, f"{{{self.ns_soap_env}}}Body")

    def write_fault(self, refusal: Refusal, body: etree._Element) -> None:
        """Write a fault as this version of SOAP has it."""
        raise TypeError(type(self))


class _Soap11(_Ours, Soap11):
    def write_fault(self, refusal: Refusal, body: etree._Element) -> None:
        """Section 4.4 of SOAP 1.1; children of Fault are unqualified."""
        side = _side(refusal, "Client", "Server")
        fault = etree.SubElement(body, f"{{{self.ns_soap_env}}}Fault")
        etree.SubElement(fault, "faultcode").text = f"{self.soap_env}:{side}"
        write_text(etree.SubElement(fault, "faultstring"), refusal.description)
        tell(etree.SubElement(fault, "detail"), refusal)


class _Soap12(_Ours, Soap12):
    def write_fault(self, refusal: Refusal, body: etree._Element) -> None:
        """Section 5.4 of SOAP 1.2, part 1."""
        env = f"{{{self.ns_soap_env}}}"
        side = _side(refusal, "Sender", "Receiver")
        fault = etree.SubElement(body, f"{env}Fault")
        code = etree.SubElement(etree.SubElement(fault, f"{env}Code"), f"{env}Value")
        code.text = f"{self.soap_env}:{side}"
        words = etree.SubElement(etree.SubElement(fault, f"{env}Reason"), f"{env}Text")
        words.set(_XML_LANG, "en")
        write_text(words, refusal.description)
        tell(etree.SubElement(fault, f"{env}Detail"), refusal)


def _side(refusal: Refusal, theirs: str, ours: str) -> str:
    """Local name of the fault code."""
    if isinstance(refusal, NotUnderstood):
        return "MustUnderstand"
    return ours if is_ours(refusal) else theirs


class _Server(ServerBase):
    """Spyne's pipeline from a parsed request to the octets of the answer."""

    transport = "http://schemas.xmlsoap.org/soap/http"


class _Script:
    """Envelopes of responses, written without a tree."""

    def __init__(self, protocol: Any, markup: Markup) -> None:
        env, names = protocol.soap_env, protocol.ns_soap_env
        self._start = f'<{env}:Envelope xmlns:{env}="{names}" xmlns:tns="{NS}"><{env}:Body>'
        self._end = f"</{env}:Body></{env}:Envelope>"
        self._markup = markup

    def response(self, operation: str, result: Any) -> bytes:
        """The envelope that Spyne would give."""
        model = SmsExchange.public_methods[operation].out_message
        inner = self._markup.members(model, {f"{operation}Result": result})
        name = f"tns:{operation}Response"
        written = f"{DECLARATION}{self._start}<{name}>{inner}</{name}>{self._end}"
        return written.encode()


@dataclass(frozen=True, slots=True)
class _Version:
    """One version of SOAP, ready to serve."""

    mime: str
    server: Any
    application: Any
    script: _Script


def make_application(version: str, elements: Elements | None = None) -> Any:
    """The Spyne application of SOAP `1.1` or `1.2`."""
    protocol = {"1.1": _Soap11, "1.2": _Soap12}[version]
    incoming, outgoing = protocol(), protocol()
    incoming.elements = outgoing.elements = elements or Elements(Shapes())
    application = Application(
        [SmsExchange], NS, name=NAME, in_protocol=incoming, out_protocol=outgoing
    )
    application.transport = _Server.transport
    return application


def _version(version: str, mime: str, elements: Elements, markup: Markup) -> _Version:
    application = make_application(version, elements)
    script = _Script(application.out_protocol, markup)
    return _Version(f"{mime}; charset=utf-8", _Server(application), application, script)


class _Call:
    """One request on its way through the operations: what `ctx.udc` is to the contract."""

    def __init__(self, exchange: Exchange, documents: Documents, caller: Caller) -> None:
        self._exchange = exchange
        self._documents = documents
        self._caller = caller

    def __call__(self, operation: str, *arguments: Any) -> Any:
        try:
            if operation == "Exchange":
                return exchange_documents(self._exchange, self._documents, self._caller, *arguments)
            return self._exchange.run(operation, self._caller, *arguments)
        except Refusal as refusal:
            raise fault_of(refusal) from None
        except Exception as error:
            raise fault_of(internal(error)) from None


class SoapDoor:
    """The operations over SOAP. `public_url` (http://host:port) goes into the WSDL."""

    def __init__(self, exchange: Exchange, public_url: str, max_body: int = 20_000_000) -> None:
        self._exchange = exchange
        self._max_body = max_body
        shapes = Shapes()
        elements, markup = Elements(shapes), Markup(shapes, "tns")
        self._documents = Documents(elements)
        self._soap11 = _version("1.1", "text/xml", elements, markup)
        self._soap12 = _version("1.2", "application/soap+xml", elements, markup)
        base = public_url.rstrip("/")
        self._wsdl11 = build_wsdl(self._soap11.application, f"{base}/soap")
        self._wsdl12 = build_wsdl(self._soap12.application, f"{base}/soap12")

    def soap(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """WSGI application for /soap."""
        return self._serve(environ, start_response, self._soap11, self._wsdl11)

    def soap12(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """WSGI application for /soap12."""
        return self._serve(environ, start_response, self._soap12, self._wsdl12)

    def _serve(
        self,
        environ: WSGIEnvironment,
        start_response: StartResponse,
        version: _Version,
        wsdl: bytes,
    ) -> Iterable[bytes]:
        method = environ["REQUEST_METHOD"]
        if method == "POST":
            status, mime, body = self._post(environ, version)
        elif method in ("GET", "HEAD"):
            status, mime, body = _get(environ, wsdl)
        else:
            status, mime, body = "405 Method Not Allowed", "text/plain", b"POST, or GET ?wsdl\n"
        headers = [("Content-Type", mime), ("Content-Length", str(len(body)))]
        if status.startswith("405"):
            headers.append(("Allow", "GET, HEAD, POST"))
        start_response(status, headers)
        return [] if method == "HEAD" else [body]

    def _post(self, environ: WSGIEnvironment, version: _Version) -> tuple[str, str, bytes]:
        content_type = environ.get("CONTENT_TYPE", "").lower()
        if content_type.startswith("application/soap+xml"):
            version = self._soap12
        status = _FAULT_STATUS
        try:
            body = read_body(environ, self._max_body)
            envelope = parse(decode(body, charset_of(environ)))
            version = self._version_of(envelope)
            answer, refused = self._run(version, envelope, body, environ)
            if not refused:
                status = "200 OK"
        except TooLarge as refusal:
            status = "413 Content Too Large"
            answer = self._refuse(version, refusal, environ)
        except Refusal as refusal:
            answer = self._refuse(version, refusal, environ)
        except Exception as error:
            answer = self._refuse(version, internal(error), environ)
        return status, version.mime, answer

    def _version_of(self, envelope: etree._Element) -> _Version:
        if envelope.tag == f"{{{NS_SOAP11_ENV}}}Envelope":
            return self._soap11
        if envelope.tag == f"{{{NS_SOAP12_ENV}}}Envelope":
            return self._soap12
        raise Refusal(Code.BAD_REQUEST, "the document is no SOAP 1.1 or 1.2 envelope")

    def several(self, environs: Sequence[WSGIEnvironment]) -> list[Answer]:
        """Several requests for /soap at a time."""
        return self._several(environs, self._soap11)

    def several12(self, environs: Sequence[WSGIEnvironment]) -> list[Answer]:
        """Several requests for /soap12 at a time."""
        return self._several(environs, self._soap12)

    def _several(self, environs: Sequence[WSGIEnvironment], usual: _Version) -> list[Answer]:
        """The answers to requests that send, taken in by one call: read and written by the
        models and the code that serve Spyne, without its pipeline. Whatever is unusual goes
        the usual way."""
        answers: list[Answer | None] = [None] * len(environs)
        asked: list[tuple[int, _Version, Asked]] = []
        for place, environ in enumerate(environs):
            body = environ["wsgi.input"].read()
            environ["wsgi.input"] = BytesIO(body)
            try:
                version, each = self._glance(environ)
            except Exception:
                environ["wsgi.input"] = BytesIO(body)
                status, mime, body = self._post(environ, usual)
                answers[place] = _answer(status, mime, body)
            else:
                environ[OPERATION_KEY] = each.operation
                asked.append((place, version, each))
        told = self._exchange.run_together([each for _, _, each in asked])
        for (place, version, each), result in zip(asked, told, strict=True):
            if isinstance(result, Exception):
                refusal = result if isinstance(result, Refusal) else internal(result)
                body = self._refuse(version, refusal, environs[place])
                answers[place] = _answer(_FAULT_STATUS, version.mime, body)
            else:
                body = version.script.response(each.operation, result)
                answers[place] = _answer("200 OK", version.mime, body)
        return [answer for answer in answers if answer is not None]

    def _glance(self, environ: WSGIEnvironment) -> tuple[_Version, Asked]:
        """A plain request that sends. Raises whatever it raises for anything else."""
        body = read_body(environ, self._max_body)
        envelope = parse(decode(body, charset_of(environ)))
        version = self._version_of(envelope)
        if _signature(envelope) is not None:
            raise LookupError("a signed request")
        protocol = version.application.in_protocol
        header = envelope.find(f"{{{protocol.ns_soap_env}}}Header")
        if header is not None and any(block.tag not in BLOCKS for block in header):
            raise LookupError("a header block that asks for something else")
        held = envelope.find(f"{{{protocol.ns_soap_env}}}Body")
        if held is None or len(held) != 1:
            raise LookupError("not one operation")
        name = _SENDING[held[0].tag]
        model = SmsExchange.public_methods[name].in_message
        (request,) = protocol.elements.arguments(model, held[0])
        return version, Asked(soap_caller(header, environ, body, None), name, request)

    def _run(
        self, version: _Version, envelope: etree._Element, body: bytes, environ: WSGIEnvironment
    ) -> tuple[bytes, bool]:
        """Spyne's pipeline: the answer's octets, and whether they are a fault."""
        check_mandatory(envelope)
        signature = _signature(envelope)
        server = version.server
        initial = MethodContext(server, MethodContext.SERVER)
        initial.in_document = envelope
        ctx = server.generate_contexts(initial)[0]
        if ctx.in_error is None:
            environ[OPERATION_KEY] = ctx.method_request_string.rpartition("}")[2]
            caller = soap_caller(ctx.in_header_doc, environ, body, signature)
            ctx.udc = _Call(self._exchange, self._documents, caller)
            server.get_in_object(ctx)
        if ctx.in_error is None:
            server.get_out_object(ctx)
        fault = ctx.in_error or ctx.out_error
        if fault is not None:
            return self._refuse(version, refusal_of(fault), environ), True
        server.get_out_string(ctx)
        return b"".join(ctx.out_string), False

    def _refuse(self, version: _Version, refusal: Refusal, environ: WSGIEnvironment) -> bytes:
        """An envelope with a fault."""
        environ[CODE_KEY] = str(refusal.code)
        protocol = version.application.out_protocol
        envelope, body = protocol.envelope()
        protocol.write_fault(refusal, body)
        written: bytes = etree.tostring(envelope, xml_declaration=True, encoding="UTF-8")
        return written


def account_of(glimpse: Glimpse) -> str | None:
    """Whose request that sends this is, by a password in header or Basic. Other proofs are good
    for one time, and remembered by a commit each: those run alone."""
    found = _BODY.search(glimpse.head)
    if found is None or found[1] not in _NAMES or any(each in glimpse.head for each in _ONCE):
        return None
    named = _ACCOUNT.search(glimpse.head)
    if named is not None:
        return named[1].decode("ascii", "replace")
    return basic(glimpse.authorization)[0] or None


def _answer(status: str, mime: str, body: bytes) -> Answer:
    return Answer(status, body, [("Content-Type", mime), ("Content-Length", str(len(body)))])


def _signature(envelope: etree._Element) -> EnvelopeSignature | None:
    """Raises Refusal(SIGNATURE_INVALID); only the log tells why."""
    try:
        return take_signature(envelope)
    except SignatureError as error:
        log.warning("entry.signature", wrong=str(error)[:200])
        raise Refusal(Code.SIGNATURE_INVALID, "the signature of the envelope is wrong") from None


def _get(environ: WSGIEnvironment, wsdl: bytes) -> tuple[str, str, bytes]:
    wanted = environ.get("QUERY_STRING", "").partition("=")[0].lower()
    if wanted in ("wsdl", "singlewsdl"):
        return "200 OK", "text/xml; charset=utf-8", wsdl
    return "200 OK", "text/plain; charset=utf-8", b"A SOAP service. Its WSDL: ?wsdl\n"

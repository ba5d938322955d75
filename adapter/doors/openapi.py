"""The JSON operations as an OpenAPI 3.1 document, made from the models of the contract."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from adapter import __version__
from adapter.contract import NAME, ExchangeFault, SmsCallback, SmsExchange
from adapter.domain.errors import Code
from adapter.doors.http import KEYED, OPERATIONS, READING, status_of
from adapter.doors.shapes import Member, Shape, Shapes, bounds
from adapter.spyne_compat import Boolean, DateTime, Integer32

Schema = dict[str, Any]

_SCHEMES: Schema = {
    "basic": {"type": "http", "scheme": "basic"},
    "hmac": {
        "type": "apiKey",
        "in": "header",
        "name": "Authorization",
        "description": "A signature over the request: HMAC-SHA256 or HMAC-SM3, account, key,"
        " time, nonce, signature. See docs/integrator/http.md.",
    },
    "certificate": {"type": "mutualTLS"},
}
"""How a client may show who it is; one of these, or what its entries ask for."""
_OPEN = frozenset({"Ping", "SendText"})
"""No credentials in the header: none are needed, or they stand in the body."""


def build_openapi(url: str) -> Schema:
    """The document; `url` is http://host:port as published."""
    schemas: dict[str, Schema] = {}
    shapes = Shapes()
    paths = {
        f"/api/json/{name}": _path(name, SmsExchange.public_methods[name], shapes, schemas)
        for name in OPERATIONS
    }
    webhooks = {
        name: {"post": _webhook(name, operation, shapes, schemas)}
        for name, operation in SmsCallback.public_methods.items()
    }
    schemas[ExchangeFault.__type_name__] = _fault()
    return {
        "openapi": "3.1.0",
        "info": {
            "title": NAME,
            "version": __version__,
            "description": f"{_words(SmsExchange.__doc__)}\n\nThe same operations take XML at "
            "`/api/xml/<Operation>`.",
        },
        "servers": [{"url": url.rstrip("/")}],
        "paths": paths,
        "webhooks": webhooks,
        "components": {
            "schemas": schemas,
            "securitySchemes": _SCHEMES,
        },
    }


def _path(name: str, operation: Any, shapes: Shapes, schemas: dict[str, Schema]) -> Schema:
    words = _words(operation.function.__doc__)
    described: Schema = {
        "operationId": name,
        "summary": words.partition(". ")[0].rstrip("."),
        "description": words,
        "security": [] if name in _OPEN else [{name: []} for name in _SCHEMES],
        "responses": _responses(shapes[operation.out_message].members[0], schemas),
    }
    if name in KEYED:
        described["parameters"] = [_KEY]
    arguments = shapes[operation.in_message]
    if name in READING:
        return {"get": described}
    described["requestBody"] = {
        "required": True,
        "content": {"application/json": {"schema": _arguments(arguments, schemas)}},
    }
    return {"post": described}


def _webhook(name: str, operation: Any, shapes: Shapes, schemas: dict[str, Schema]) -> Schema:
    """What a client offers, where the hospital configured a callback for it."""
    words = f"{_words(SmsCallback.__doc__)} See docs/integrator/callbacks.md."
    key = "The id of the event, where a request carries one alone."
    return {
        "operationId": name,
        "summary": "Receipts and inbound texts brought to the client's own service",
        "description": words,
        "security": [{"hmac": []}, {"basic": []}, {"certificate": []}],
        "parameters": [{**_KEY, "description": key}],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": _arguments(shapes[operation.in_message], schemas)}
            },
        },
        "responses": {
            "2XX": {"description": "The events are safe."},
            "default": {"description": "They come again."},
        },
    }


_KEY: Schema = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "The clientRef of a request that has none.",
    "schema": {"type": "string", "maxLength": 64},
}


def _arguments(shape: Shape, schemas: dict[str, Schema]) -> Schema:
    members = shape.members
    if len(members) == 1 and members[0].inner is not None:
        return _schema(members[0], schemas)
    return _object(shape, schemas)


def _responses(result: Member, schemas: dict[str, Schema]) -> Schema:
    """One for each status that occurs, with the codes that lead to it."""
    by_status: dict[HTTPStatus, list[str]] = {}
    for code in Code:
        by_status.setdefault(status_of(code), []).append(str(code))
    fault = {"$ref": f"#/components/schemas/{ExchangeFault.__type_name__}"}
    schema = _schema(result, schemas)
    answers: Schema = {}
    for status, codes in sorted(by_status.items()):
        good = status is HTTPStatus.OK
        # A reply that refuses all recipients has results, and the status of its code.
        held = schema if good else {"anyOf": [fault, schema]} if _has_code(result) else fault
        answers[str(status.value)] = {
            "description": "Carried out." if good else f"{status.phrase}: {', '.join(codes)}.",
            "content": {"application/json": {"schema": held}},
        }
    return answers


def _has_code(result: Member) -> bool:
    return result.inner is not None and "code" in result.inner.by_name


def _schema(member: Member, schemas: dict[str, Schema]) -> Schema:
    schema = _kind(member, schemas)
    words = _words(_doc(member.kind))
    if words and "$ref" not in schema:
        schema["description"] = words
    return schema


def _kind(member: Member, schemas: dict[str, Schema]) -> Schema:
    kind, inner = member.kind, member.inner
    if inner is None:
        return _simple(kind)
    if member.many:
        items = _schema(inner.members[0], schemas)
        return {"type": "array", "items": items, "maxItems": member.many}
    name = inner.model.get_type_name()
    if name not in schemas:
        schemas[name] = {}
        schemas[name] = _object(inner, schemas)
    return {"$ref": f"#/components/schemas/{name}"}


def _object(shape: Shape, schemas: dict[str, Schema]) -> Schema:
    made: Schema = {
        "type": "object",
        "properties": {each.name: _schema(each, schemas) for each in shape.members},
    }
    if words := _words(shape.model.__doc__):
        made["description"] = words
    if shape.required:
        made["required"] = shape.required
    return made


def _simple(kind: Any) -> Schema:
    if issubclass(kind, Boolean):
        return {"type": "boolean"}
    if issubclass(kind, DateTime):
        return {"type": "string", "format": "date-time"}
    if issubclass(kind, Integer32):
        least, most = bounds(kind)
        return {"type": "integer", "minimum": least, "maximum": most}
    schema: Schema = {"type": "string"}
    if kind.Attributes.values:
        schema["enum"] = sorted(kind.Attributes.values)
    elif kind.Attributes.max_len != float("inf"):
        schema["maxLength"] = int(kind.Attributes.max_len)
    return schema


def _fault() -> Schema:
    return {
        "type": "object",
        "description": _words(ExchangeFault.__doc__),
        "properties": {
            name: {**_simple(kind), "description": _words(_doc(kind))}
            for name, kind in ExchangeFault.get_flat_type_info(ExchangeFault).items()
        },
        "required": ["code", "description"],
    }


def _doc(kind: Any) -> str | None:
    doc: str | None = kind.Annotations.doc
    return doc


def _words(doc: str | None) -> str:
    return " ".join((doc or "").split())

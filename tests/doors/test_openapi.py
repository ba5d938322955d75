"""The OpenAPI document is valid, true to what the door answers, and readable."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
from lxml import html
from openapi_spec_validator import OpenAPIV31SpecValidator

from adapter.doors.http import OPERATIONS
from adapter.doors.openapi import build_openapi
from tests.doors.conftest import Node
from tests.doors.test_http import BASIC, call, held, sending

URL = "http://sms.hospital.example:8080"


@pytest.fixture(scope="module")
def document(shared: Node) -> Any:
    return held(shared.request("GET", "/api/openapi.json"))


def schema(document: Any, name: str) -> Any:
    """A schema of the document that stands by itself."""
    return {"$ref": f"#/components/schemas/{name}", "components": document["components"]}


def test_the_document_is_valid_and_whole(document: Any) -> None:
    OpenAPIV31SpecValidator(document).validate()
    assert document == json.loads(json.dumps(build_openapi(URL)))
    assert document["servers"] == [{"url": URL}]
    assert sorted(document["paths"]) == sorted(f"/api/json/{name}" for name in OPERATIONS)


def test_every_member_is_explained(document: Any) -> None:
    for name, each in document["components"]["schemas"].items():
        assert each["description"], name
        for member, its in each["properties"].items():
            assert its.get("description") or "$ref" in its, f"{name}.{member}"


def test_answers_and_requests_are_as_described(node: Node, document: Any) -> None:
    request = sending(clientRef="r", lane="urgent", receipt=True)
    jsonschema.validate(request, schema(document, "SendRequest"))
    reply = held(call(node, "Send", request))
    jsonschema.validate(reply, schema(document, "SendReply"))
    found = held(call(node, "Query", {"clientRef": "r"}))
    jsonschema.validate(found, schema(document, "QueryReply"))
    refused = held(call(node, "Send", {}))
    jsonschema.validate(refused, schema(document, "ExchangeFault"))
    account = held(node.request("GET", "/api/json/GetAccount", headers=BASIC))
    jsonschema.validate(account, schema(document, "GetAccountReply"))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(sending(lane="fast"), schema(document, "SendRequest"))


def test_every_status_that_is_given_is_described(node: Node, document: Any) -> None:
    described = document["paths"]["/api/json/Send"]["post"]["responses"]
    for body, headers in (({}, BASIC), (sending(), {}), (sending(mobile="1"), BASIC)):
        assert str(call(node, "Send", body, headers).status) in described


def test_the_page_shows_every_operation_and_loads_nothing(shared: Node) -> None:
    answer = shared.request("GET", "/api/")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    page = html.fromstring(answer.body.decode())
    headings = {heading.get("id") for heading in page.iter("h2")}
    assert headings >= set(OPERATIONS)
    targets = {link.get("href") for link in page.iter("a")}
    ids = {f"#{each.get('id')}" for each in page.iter() if each.get("id")}
    assert targets - {"/api/openapi.json"} <= ids
    assert not list(page.iter("script", "link", "img"))
    assert shared.request("GET", "/api/nothing").status == 404
    assert shared.request("POST", "/api/").status == 405

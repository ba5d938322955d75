"""The schema and the model say the same; everything in the schema is documented."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from adapter.config import model
from adapter.config.build import readers
from adapter.config.schema import schema
from adapter.domain.client import Certificate, Client, WayIn
from adapter.domain.states import Carrier, DoubtRule, Lane
from adapter.files import published
from connectors.web import settings as web

XS = "{http://www.w3.org/2001/XMLSchema}"
PAGE = Path(__file__).parents[2] / "docs/operator/configuration.md"

# A type of the schema, the class it fills, and the attributes and fields that have no
# counterpart: elements of their own, or defaults that differ from lane to lane.
CALL = {"url", "headers", "fields", "body"}
CALL_ATTRIBUTES = {"method", "format", "charset", "content-type", "operation"}
PAIRS: list[tuple[tuple[str, ...], type[Any], set[str], set[str]]] = [
    (("Node",), model.Node, set(), set()),
    (("Store",), model.Store, {"password"}, set()),
    (("Web",), model.Web, set(), set()),
    (("Socket",), model.Socket, set(), set()),
    (("CmppServer",), model.CmppServer, set(), set()),
    (
        ("Channel", "Connection"),
        model.Channel,
        set(),
        {"smgp", "sgip", "smpp", "quirks", "listener", "provider"},
    ),
    (("Smgp",), model.Smgp, set(), set()),
    (("Sgip",), model.Sgip, set(), set()),
    (("Smpp",), model.Smpp, set(), set()),
    (("Quirks",), model.Quirks, set(), set()),
    (("Listener",), model.Listener, set(), set()),
    (
        ("Provider",),
        web.WebSettings,
        {"rate"},
        {
            "name",
            "number",
            "submit",
            "refused_wait_s",
            "values",
            "digests",
            "pulls",
            "pushes",
            "ping",
            "ping_result",
        },
    ),
    (("ProviderCall",), web.Call, set(), CALL),
    (("ProviderSubmit",), web.Submission, CALL_ATTRIBUTES, {"call", "result", "entry"}),
    (("ProviderAnswer",), web.Result, set(), {"actions"}),
    (
        ("ProviderPull",),
        web.Pull,
        CALL_ATTRIBUTES,
        {"call", "receipts", "inbound", "acknowledge"},
    ),
    (("ProviderItems",), web.Items, set(), set()),
    (("ProviderPush",), web.Push, set(), {"receipts", "inbound", "reply"}),
    (("ProviderDigest",), web.Digest, set(), {"text"}),
    (("Route",), model.Route, set(), set()),
    (("Ported",), model.Ported, set(), set()),
    (
        ("Client",),
        Client,
        set(),
        {
            "password_hashes",
            "digest_secrets",
            "hmac_keys",
            "content_keys",
            "certificates",
            "entries",
            "doubt",
        },
    ),
    (
        ("Callback",),
        model.Callback,
        set(),
        {"account", "headers", "receipt", "inbound"},
    ),
    (("CallbackCall",), web.Call, set(), CALL),
    (
        ("CallbackAnswer",),
        web.Result,
        set(),
        {"each", "id", "code", "mobile", "otherwise", "actions"},
    ),
    (("Entry",), WayIn, set(), set()),
    (("Certificate",), Certificate, set(), set()),
    (
        ("Source",),
        model.Source,
        {"password"},
        {"columns", "constants", "defaults", "parameters", "statuses", "sql", "results_url"},
    ),
    (("Template",), model.Template, set(), {"text"}),
    (("LanePolicy",), model.LanePolicy, {"name"}, {"lane"}),
    (("Policies",), model.Policies, set(), {"lanes"}),
    (("Jobs",), model.Jobs, set(), {"backup"}),
    (("Backup",), model.Backup, set(), set()),
    (("Security",), model.Security, set(), {"store_keys"}),
    (("Logging",), model.Logging, set(), set()),
]
BY_LANE = {"doubt", "doubt-wait", "backoff-min"}
BY_PROTOCOL = {"version"}


@pytest.mark.parametrize(("types", "cls", "only_xsd", "only_model"), PAIRS)
def test_schema_and_model_agree(
    types: tuple[str, ...], cls: type[Any], only_xsd: set[str], only_model: set[str]
) -> None:
    attributes: dict[str, Any] = {}
    for name in types:
        described: Any = schema().types[name]
        attributes.update(described.attributes)
    fields = {f.name: f for f in dataclasses.fields(cls)}
    reading = {attribute: (field, read) for attribute, field, read in readers(cls)}
    assert set(attributes) - set(reading) == only_xsd
    assert {field for a, (field, _) in reading.items() if a not in attributes} == only_model
    for name in set(attributes) - only_xsd - BY_LANE - BY_PROTOCOL:
        field, read = reading[name]
        written, default = attributes[name].default, fields[field].default
        if attributes[name].use == "required":
            assert (written, default) == (None, dataclasses.MISSING), name
        else:
            assert read(written) == default, name


def test_defaults_that_differ_by_lane_are_documented() -> None:
    lanes = model.Policies().lanes
    assert [lanes[lane].doubt_wait_s for lane in Lane] == [10, 30, 300, 72 * 3600]
    assert [lanes[lane].backoff_min_s for lane in Lane] == [1, 2, 2, 2]
    assert [lanes[lane].doubt for lane in Lane] == ["resend", "resend", "resend", "wait"]


@pytest.mark.parametrize(
    ("name", "words"), [("carrier", Carrier), ("lane", Lane), ("doubt-rule", DoubtRule)]
)
def test_words_are_those_of_the_domain(name: str, words: Any) -> None:
    described: Any = schema().types[name]
    assert described.enumeration == [word.value for word in words]


def test_everything_is_documented_in_english_and_chinese() -> None:
    root = etree.parse(published("xsd/config.xsd")).getroot()
    for kind in ("element", "attribute", "complexType", "simpleType"):
        for part in root.iter(XS + kind):
            if part.get("name") is None:
                continue
            texts = part.findall(f"{XS}annotation/{XS}documentation")
            languages = [t.get("{http://www.w3.org/XML/1998/namespace}lang") for t in texts]
            assert languages == ["en", "zh"], part.get("name")
            assert all((t.text or "").strip() for t in texts), part.get("name")


def test_the_operators_page_names_everything() -> None:
    page = PAGE.read_text(encoding="utf-8")
    root = etree.parse(published("xsd/config.xsd")).getroot()
    for part in root.iter(XS + "attribute"):
        assert f"`{part.get('name')}`" in page, part.get("name")
    for part in root.iter(XS + "element"):
        assert f"<{part.get('name')}" in page, part.get("name")

"""The committed WSDL and XSD are what the code says, and what old toolkits can read."""

from __future__ import annotations

from pathlib import Path

import pytest
import xmlschema
from lxml import etree
from xmlschema.extras.wsdl import Wsdl11Document

from adapter.contract import MAX_FETCH, NS
from adapter.doors.export import documents, write

ROOT = Path(__file__).parents[2]
WSDL = "{http://schemas.xmlsoap.org/wsdl/}"
XSD = "{http://www.w3.org/2001/XMLSchema}"
DATA_CONTRACT = "{http://schemas.microsoft.com/2003/10/Serialization/}"
SOAP_BINDINGS = {
    "wsdl/SmsExchange.wsdl": "{http://schemas.xmlsoap.org/wsdl/soap/}",
    "wsdl/SmsExchange12.wsdl": "{http://schemas.xmlsoap.org/wsdl/soap12/}",
}


@pytest.fixture(scope="module")
def built() -> dict[str, etree._Element]:
    return {name: etree.fromstring(document) for name, document in documents().items()}


def test_the_committed_files_are_what_the_code_says() -> None:
    for name, document in documents().items():
        assert (ROOT / name).read_bytes() == document, f"{name}: run `sms-adapter wsdl .`"


def test_write(tmp_path: Path) -> None:
    written = write(tmp_path, "https://sms.hospital.example/")
    assert len(written) == 5
    text = (tmp_path / "wsdl" / "SmsExchange12.wsdl").read_text("utf-8")
    assert 'location="https://sms.hospital.example/soap12"' in text


@pytest.mark.parametrize("name", SOAP_BINDINGS)
def test_wsdl_rules(built: dict[str, etree._Element], name: str) -> None:
    root = built[name]
    for operation in root.iter(f"{WSDL}operation"):
        assert "parameterOrder" not in operation.attrib
    for message in root.iter(f"{WSDL}message"):
        (part,) = message
        assert part.get("element")
        if message.get("name") not in ("Credentials", "ExchangeFault"):
            assert part.get("name") == "parameters"
    names = {
        kind: element.get("name")
        for kind in ("portType", "binding", "port", "service")
        for element in root.iter(f"{WSDL}{kind}")
    }
    assert len(set(names.values())) == 4
    assert len(list(root.iter(f"{WSDL}service"))) == 1
    soap = SOAP_BINDINGS[name]
    assert {element.tag for element in root.iter(f"{WSDL}binding", f"{soap}binding")} == {
        f"{WSDL}binding",
        f"{soap}binding",
    }
    with_header = {
        operation.get("name")
        for operation in root.iter(f"{WSDL}operation")
        if operation.find(f"{WSDL}input/{soap}header") is not None
    }
    assert "Send" in with_header
    assert not with_header & {"SendText", "Exchange"}


@pytest.mark.parametrize("name", SOAP_BINDINGS)
def test_no_namespace_is_declared_in_vain(built: dict[str, etree._Element], name: str) -> None:
    soap = SOAP_BINDINGS[name].strip("{}")
    assert set(built[name].nsmap.values()) == {WSDL.strip("{}"), XSD.strip("{}"), soap, NS}


@pytest.mark.parametrize("name", SOAP_BINDINGS)
def test_global_elements_are_those_of_messages(built: dict[str, etree._Element], name: str) -> None:
    root = built[name]
    schema = root.find(f"{WSDL}types/{XSD}schema")
    assert schema is not None
    named = {(part.get("element") or "").removeprefix("tns:") for part in root.iter(f"{WSDL}part")}
    elements = {each.get("name"): each for each in schema.iterfind(f"{XSD}element")}
    assert set(elements) == named
    typed = {each for each, element in elements.items() if element.get("type")}
    assert typed == {"Credentials", "ExchangeFault"}
    types = {each.get("name") for each in schema.iterfind(f"{XSD}complexType")}
    assert types & named == typed, "else C++ and Java have two classes of one name"


def test_schema_rules(built: dict[str, etree._Element]) -> None:
    root = built["xsd/exchange.xsd"]
    assert root.get("elementFormDefault") == "qualified"
    assert not root.findall(f"{XSD}import")
    for element in root.iter(f"{XSD}element"):
        assert element.get("nillable") is None
        most = element.get("maxOccurs", "1")
        assert most in ("1", "unbounded"), "Java's parsers take none beyond 5,000"
    elements = {element.get("name") for element in root.findall(f"{XSD}element")}
    factories = {
        f"{type_.get('name')}{(element.get('name') or '').capitalize()}"
        for type_ in root.findall(f"{XSD}complexType")
        for element in type_.iter(f"{XSD}element")
        if element.get("nillable") == "true"
    }
    assert not elements & factories
    enumerated = {
        type_.get("name")
        for type_ in root.iter(f"{XSD}simpleType")
        if type_.find(f"{XSD}restriction/{XSD}enumeration") is not None
    }
    assert enumerated == {"Lane"}
    used = {each.get("type") or each.get("base") or "" for each in root.iter()}
    # No xs:integer: it would be a BigInteger in Java.
    built_in = {each for each in used if each.startswith("xs:")}
    assert built_in == {"xs:string", "xs:int", "xs:boolean", "xs:dateTime"}


def test_nothing_is_enumerated_in_an_answer(built: dict[str, etree._Element]) -> None:
    """A client that was made before a value was added refuses the whole answer."""
    schema = built["xsd/exchange.xsd"]
    types = {
        each.get("name") or "": each
        for each in schema
        if each.tag in (f"{XSD}complexType", f"{XSD}simpleType")
    }
    reached: set[str] = set()

    def reach(element: etree._Element) -> None:
        for each in element.iter():
            name = (each.get("type") or "").removeprefix("tns:")
            if name in types and name not in reached:
                reached.add(name)
                reach(types[name])

    for element in schema.findall(f"{XSD}element"):
        if (element.get("name") or "").endswith(("Response", "Fault")):
            reach(element)
    assert {"SendReply", "Message", "Segment", "Receipt", "Inbound", "ExchangeFault"} <= reached
    assert not any(types[name].tag == f"{XSD}simpleType" for name in reached), (
        "answers have no restricted types at all"
    )


def test_optional_values_of_requests_have_the_word_for_svcutil(
    built: dict[str, etree._Element],
) -> None:
    """.NET's DataContractSerializer would send what was never set: the year 1, false, 0."""
    schema = built["xsd/exchange.xsd"]
    marked = {
        (type_.get("name"), element.get("name"))
        for type_ in schema.findall(f"{XSD}complexType")
        for element in type_.iter(f"{XSD}element")
        if element.find(f"{XSD}annotation/{XSD}appinfo/{DATA_CONTRACT}DefaultValue") is not None
    }
    times = ("lane", "scheduleAt", "expireAt", "receipt", "replace")
    assert marked == {
        *(("SendRequest", name) for name in times),
        *(("SendBatchRequest", name) for name in times),
        ("FetchReceiptsRequest", "max"),
        ("FetchInboundRequest", "max"),
    }
    for annotation in schema.iter(f"{XSD}annotation"):
        if annotation.find(f"{XSD}appinfo") is not None:
            assert annotation[0].tag == f"{XSD}appinfo", "svcutil reads the first item only"
    (first, *_) = schema.findall(f"{XSD}simpleType[@name='Lane']/{XSD}restriction/{XSD}enumeration")
    assert first.get("value") == "normal", "the value that svcutil's clients leave out"


def test_every_field_and_operation_is_documented(built: dict[str, etree._Element]) -> None:
    schema = built["xsd/exchange.xsd"]
    bare = [
        f"{type_.get('name')}/{element.get('name')}"
        for type_ in schema.findall(f"{XSD}complexType")
        for element in type_.iter(f"{XSD}element")
        if not element.findtext(f"{XSD}annotation/{XSD}documentation")
        and not (type_.get("name") or "").startswith("ArrayOf")
        and element.get("name") != "request"
        and not (element.get("name") or "").endswith("Result")
    ]
    assert not bare
    for type_ in schema.findall(f"{XSD}complexType"):
        assert type_.findtext(f"{XSD}annotation/{XSD}documentation"), type_.get("name")
    for operation in built["wsdl/SmsExchange.wsdl"].iterfind(f"{WSDL}portType/{WSDL}operation"):
        assert operation.findtext(f"{WSDL}documentation")


def test_another_schema_processor_reads_them(tmp_path: Path) -> None:
    write(tmp_path)
    schema = xmlschema.XMLSchema(tmp_path / "xsd" / "exchange.xsd")
    good = (
        f'<Send xmlns="{NS}"><request><content>x</content><recipients><Recipient>'
        "<mobile>13800138000</mobile></Recipient></recipients><lane>urgent</lane>"
        "<scheduleAt>2026-03-01T14:30:00</scheduleAt></request></Send>"
    )
    assert schema.is_valid(good)
    assert not schema.is_valid(good.replace("urgent", "fast"))
    fetch = f'<FetchReceipts xmlns="{NS}"><request><max>%s</max></request></FetchReceipts>'
    assert schema.is_valid(fetch % MAX_FETCH)
    assert not schema.is_valid(fetch % (MAX_FETCH + 1))
    wsdl = Wsdl11Document(str(tmp_path / "wsdl" / "SmsExchange.wsdl"))  # type: ignore[no-untyped-call]
    (port_type,) = wsdl.port_types.values()
    assert len(port_type.operations) == 12

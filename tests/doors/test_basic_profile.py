"""WS-I Basic Profile 1.1 (https://ws-i.org/profiles/basicprofile-1.1.html), rule by rule: both
WSDLs, and what goes over the wire. A test bears the numbers of its rules.

The profile speaks of SOAP 1.1 only; where a rule makes sense for 1.2, it is held there, too.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import xmlschema
from lxml import etree

from adapter.contract import NS
from adapter.doors.export import documents
from tests.doors.conftest import CREDENTIALS, SOAP11, SOAP12, WSSE, Answer, Node, envelope, send

WSDL = "{http://schemas.xmlsoap.org/wsdl/}"
XSD = "{http://www.w3.org/2001/XMLSchema}"
SOAP = {
    "wsdl/SmsExchange.wsdl": "{http://schemas.xmlsoap.org/wsdl/soap/}",
    "wsdl/SmsExchange12.wsdl": "{http://schemas.xmlsoap.org/wsdl/soap12/}",
}
HTTP = "http://schemas.xmlsoap.org/soap/http"


class Description:
    """A WSDL, and the namespace of its SOAP binding."""

    def __init__(self, name: str) -> None:
        self.text = documents()[name]
        self.root = etree.fromstring(self.text)
        self.soap = SOAP[name]

    def one(self, path: str) -> etree._Element:
        (found,) = self.root.iterfind(path)
        return found

    def named(self, kind: str, name: str | None) -> etree._Element:
        """A top-level element by its qualified name."""
        prefix, _, local = (name or "").partition(":")
        assert self.root.nsmap[prefix] == NS
        return self.one(f"{WSDL}{kind}[@name='{local}']")

    def operations(self) -> Iterator[tuple[etree._Element, etree._Element]]:
        """Of the portType, and of the binding."""
        port_type, binding = self.one(f"{WSDL}portType"), self.one(f"{WSDL}binding")
        for operation in port_type.iterfind(f"{WSDL}operation"):
            (bound,) = binding.iterfind(f"{WSDL}operation[@name='{operation.get('name')}']")
            yield operation, bound

    def element_of(self, message: str | None) -> str | None:
        """The element that is the only part of a message."""
        (part,) = self.named("message", message)
        return part.get("element")


@pytest.fixture(params=SOAP)
def wsdl(request: pytest.FixtureRequest) -> Description:
    return Description(request.param)


def test_it_is_xml_1_0_in_utf_8_without_a_doctype(wsdl: Description) -> None:
    """R4004, R4003, R4002."""
    head = re.match(rb"""<\?xml version=['"]1\.0['"] encoding=['"]UTF-8['"]\?>""", wsdl.text)
    assert head
    assert wsdl.root.getroottree().docinfo.internalDTD is None


def test_it_is_valid(wsdl: Description) -> None:
    """R2028, R2029: by the schemas of WSDL 1.1 and of its SOAP binding."""
    schemas = Path(xmlschema.__file__).parent / "schemas" / "WSDL"
    schema = xmlschema.XMLSchema10(str(schemas / "wsdl.xsd"))
    schema.validate(wsdl.text.decode())
    if wsdl.soap == SOAP["wsdl/SmsExchange.wsdl"]:
        binding = xmlschema.XMLSchema10(str(schemas / "wsdl-soap.xsd"))
        for element in wsdl.root.iter(f"{wsdl.soap}*"):
            binding.validate(etree.tostring(element, encoding="unicode", with_tail=False))


def test_its_parts_stand_in_order_and_import_nothing(wsdl: Description) -> None:
    """R2001 to R2005, R2007, R2022, R2023; R2105: the schema has the namespace of the rest."""
    assert wsdl.root[0].tag == f"{WSDL}types"
    assert not list(wsdl.root.iter(f"{WSDL}import", f"{XSD}import", f"{XSD}include"))
    (schema,) = wsdl.one(f"{WSDL}types")
    assert schema.tag == f"{XSD}schema"
    assert schema.get("targetNamespace") == wsdl.root.get("targetNamespace") == NS


def test_it_requires_no_extension(wsdl: Description) -> None:
    """R2026, R2747."""
    assert not wsdl.root.xpath("//@*[local-name() = 'required']")


def test_references_are_to_what_is_there(wsdl: Description) -> None:
    """R2101, R2102."""
    schema = wsdl.one(f"{WSDL}types/{XSD}schema")
    types = {f"tns:{each.get('name')}" for each in schema if each.tag != f"{XSD}element"}
    elements = {f"tns:{each.get('name')}" for each in schema.iterfind(f"{XSD}element")}
    for each in schema.iter(f"{XSD}element", f"{XSD}restriction"):
        name = each.get("type") or each.get("base")
        assert name is None or name in types or name.startswith("xs:")
    for part in wsdl.root.iter(f"{WSDL}part"):
        assert part.get("element") in elements
    assert wsdl.root.nsmap["tns"] == NS
    assert f"{{{wsdl.root.nsmap['xs']}}}" == XSD


def test_arrays_are_plain(wsdl: Description) -> None:
    """R2110 to R2112: no soapenc:Array, no wsdl:arrayType, no element called ArrayOf…"""
    assert b"soap/encoding" not in wsdl.text
    assert b"arrayType" not in wsdl.text
    assert not wsdl.root.xpath(
        "//xs:element[starts-with(@name, 'ArrayOf')]", namespaces={"xs": XSD.strip("{}")}
    )


def test_parts_are_elements(wsdl: Description) -> None:
    """R2204, R2205, R2206, R2306; R2201, R2210: one part for the body."""
    for message in wsdl.root.iterfind(f"{WSDL}message"):
        (part,) = message.iterfind(f"{WSDL}part")
        assert part.get("element")
        assert part.get("type") is None


def test_operations_are_one_way_or_answered_and_have_names_of_their_own(wsdl: Description) -> None:
    """R2303, R2304, R2305; R2302 does not arise."""
    port_type = wsdl.one(f"{WSDL}portType")
    names = [each.get("name") for each in port_type.iterfind(f"{WSDL}operation")]
    assert len(set(names)) == len(names) == 12
    for operation in port_type.iterfind(f"{WSDL}operation"):
        order = [each.tag.removeprefix(WSDL) for each in operation]
        assert order == ["documentation", "input", "output", "fault"]
        assert "parameterOrder" not in operation.attrib


def test_the_binding_is_document_literal_over_http(wsdl: Description) -> None:
    """R2401, R2701, R2702, R2705, R2706, R2707, R2716."""
    binding = wsdl.one(f"{WSDL}binding")
    (soap,) = binding.iterfind(f"{wsdl.soap}binding")
    assert (soap.get("style"), soap.get("transport")) == ("document", HTTP)
    for operation in binding.iter(f"{wsdl.soap}operation"):
        assert operation.get("style") == "document"
        assert operation.get("soapAction")
    for kind in ("body", "header", "fault"):
        found = list(binding.iter(f"{wsdl.soap}{kind}"))
        assert found
        for each in found:
            assert each.get("use") == "literal"
            assert not set(each.attrib) & {"namespace", "encodingStyle", "parts"}


def test_the_binding_binds_what_the_port_type_has(wsdl: Description) -> None:
    """R2718, R2709, R2720, R2721, R2754, R2740: each operation, each header, each fault."""
    binding = wsdl.one(f"{WSDL}binding")
    assert wsdl.named("portType", binding.get("type")) is wsdl.one(f"{WSDL}portType")
    assert len(list(binding.iterfind(f"{WSDL}operation"))) == len(list(wsdl.operations()))
    for operation, bound in wsdl.operations():
        for kind in ("input", "output"):
            (told,), (made,) = operation.iterfind(f"{WSDL}{kind}"), bound.iterfind(f"{WSDL}{kind}")
            assert told.get("name") == made.get("name")
            assert len(list(made.iterfind(f"{wsdl.soap}body"))) == 1
            for header in made.iterfind(f"{wsdl.soap}header"):
                (part,) = wsdl.named("message", header.get("message"))
                assert part.get("name") == header.get("part")
        (told,), (made,) = operation.iterfind(f"{WSDL}fault"), bound.iterfind(f"{WSDL}fault")
        (soap,) = made
        assert told.get("name") == made.get("name") == soap.get("name") == "ExchangeFault"
        assert wsdl.element_of(told.get("message")) == "tns:ExchangeFault"


def test_operations_differ_on_the_wire(wsdl: Description) -> None:
    """R2710: the element in the body tells which operation is meant."""
    signatures = Counter(
        wsdl.element_of(told.get("message"))
        for operation, _ in wsdl.operations()
        for told in operation.iterfind(f"{WSDL}input")
    )
    assert set(signatures.values()) == {1}


def test_one_port_at_one_address(wsdl: Description) -> None:
    """R2711."""
    (port,) = wsdl.one(f"{WSDL}service").iterfind(f"{WSDL}port")
    (address,) = port
    assert address.tag == f"{wsdl.soap}address"
    assert address.get("location")
    assert wsdl.named("binding", port.get("binding")) is wsdl.one(f"{WSDL}binding")


def answers(node: Node) -> Iterator[tuple[str, Answer]]:
    """A good one and a fault, in each version."""
    for soap in (SOAP11, SOAP12):
        yield soap, node.call(send(), soap=soap)
        yield soap, node.call(send(), header="", soap=soap)


def test_an_answer_is_a_plain_envelope(shared: Node) -> None:
    """R1005 to R1009, R1011, R1012, R1014, R1017, R9980, R2729."""
    for soap, answer in answers(shared):
        assert answer.body.startswith(b"<?xml version='1.0' encoding='UTF-8'?>")
        root = answer.envelope
        assert root.tag == f"{{{soap}}}Envelope"
        assert [child.tag for child in root] == [f"{{{soap}}}Body"]
        assert root.getroottree().docinfo.internalDTD is None
        assert not list(root.iter(etree.ProcessingInstruction))
        assert not root.xpath("//@*[local-name() = 'encodingStyle' or local-name() = 'type']")
        (child,) = root[0]
        assert child.tag in (f"{{{soap}}}Fault", f"{{{NS}}}SendResponse")


def test_a_fault_has_no_other_children_and_a_plain_code(shared: Node) -> None:
    """R1000, R1001, R1004, R1031: none with a dot in it."""
    fault = shared.call(send(), header="").envelope[0][0]
    assert [child.tag for child in fault] == ["faultcode", "faultstring", "detail"]
    prefix, _, code = (fault[0].text or "").partition(":")
    assert fault.nsmap[prefix] == SOAP11
    assert code in ("VersionMismatch", "MustUnderstand", "Client", "Server")


def test_statuses(shared: Node) -> None:
    """R1111, R1126: 200 for an answer, 500 for a fault. R1114: 405 for what is not POST."""
    statuses = [answer.status for _, answer in answers(shared)]
    assert statuses == [200, 500, 200, 500]
    assert shared.request("PUT", "/soap", b"").status == 405


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_request_may_be_in_utf_8_or_utf_16_with_a_declaration(
    shared: Node, encoding: str
) -> None:
    """R1010, R4001, R4002: also with a byte order mark."""
    document = f'<?xml version="1.0" encoding="{encoding}"?>{envelope(send())}'
    kind = f"text/xml; charset={encoding}"
    assert shared.post(document.encode(encoding), content_type=kind).text("code") == "OK"
    marked = "\ufeff".encode(encoding if encoding == "utf-8" else "utf-16-le")
    body = marked + document.encode("utf-16-le" if encoding == "utf-16" else encoding)
    assert shared.post(body, content_type=kind).text("code") == "OK"


def test_an_envelope_of_another_version_is_a_fault(shared: Node) -> None:
    """R1015."""
    answer = shared.post(envelope(send(), soap="urn:another:soap"))
    assert answer.fault[1] == "BAD_REQUEST"


def block(name: str, soap: str, more: str, namespace: str = "urn:of-others") -> str:
    """A header block marked as mandatory."""
    word = "true" if soap == SOAP12 else "1"
    return f'<x:{name} xmlns:x="{namespace}" xmlns:e="{soap}" e:mustUnderstand="{word}" {more}/>'


@pytest.mark.parametrize("soap", [SOAP11, SOAP12])
def test_a_mandatory_header_that_is_not_understood_is_a_fault(shared: Node, soap: str) -> None:
    """R1025, R1027, R1028: before anything is done."""
    before = len(shared.arrived)
    here = {SOAP11: f"{SOAP11[:-9]}actor/next", SOAP12: f"{SOAP12}/role/ultimateReceiver"}[soap]
    place = "actor" if soap == SOAP11 else "role"
    for more in ("", f'e:{place}=""', f'e:{place}="{here}"'):
        answer = shared.call(send(), block("Transaction", soap, more) + CREDENTIALS, soap)
        assert answer.status == 500
        assert answer.fault == ("MustUnderstand", "BAD_REQUEST", "Transaction")
    assert len(shared.arrived) == before


@pytest.mark.parametrize("soap", [SOAP11, SOAP12])
def test_other_headers_are_nobodys_business(shared: Node, soap: str) -> None:
    """Not mandatory, for somebody else, or understood."""
    place = "actor" if soap == SOAP11 else "role"
    header = "".join(
        (
            block("Transaction", soap, "").replace("mustUnderstand", "mustNot"),
            block("Route", soap, f'e:{place}="urn:a-gateway"'),
            block("To", soap, "", "http://www.w3.org/2005/08/addressing"),
            block("Action", soap, "", "http://schemas.xmlsoap.org/ws/2004/08/addressing"),
            block("Security", soap, "", WSSE),
            CREDENTIALS.replace("<Credentials", f'<Credentials xmlns:e="{soap}" '
                                'e:mustUnderstand="1"'),
        )
    )  # fmt: skip
    assert shared.call(send(), header, soap).text("code") == "OK"


@pytest.mark.parametrize("action", ['"Send"', '""', "Send", "", None])
def test_no_action_is_relied_upon(shared: Node, action: str | None) -> None:
    """R1109, R1119, R2744, R2745: quoted, unquoted, empty or absent."""
    headers = {} if action is None else {"SOAPAction": action}
    assert shared.post(envelope(send()), headers=headers).text("code") == "OK"

"""The WSDL and XSD of the contract, as old toolkits can read them (docs/integrator/soap.md).

Spyne makes the documents; here they are put right: message parts without `parameterOrder`,
portType, binding and port with names of their own, no namespace declared that is not used
(gSOAP takes a stray `soap12env` for a SOAP 1.2 binding), an operation's element with its type
inside it (SOAP::Lite looks for the arguments nowhere else), no element that no message names (a
generated Java class would have a factory for each, and two of one name are an error), and a word
to .NET's svcutil on optional values that are no strings: it would send a `scheduleAt` of the
year 1 where none is set.
"""

from __future__ import annotations

from typing import Any

from lxml import etree

from adapter import contract
from adapter.contract import CALLBACK_NAME, NS, SmsCallback
from adapter.spyne_compat import Application, Soap11

_WSDL = "{http://schemas.xmlsoap.org/wsdl/}"
_XSD = "{http://www.w3.org/2001/XMLSchema}"
_KEPT = ["tns", "xs"]
# "Data Contract Schema Reference" of .NET, annotations of elements.
_DATA_CONTRACT = "http://schemas.microsoft.com/2003/10/Serialization/"


def _put_right(document: Any) -> None:
    """Listener of Spyne's `wsdl_document_built`."""
    root: etree._Element = document.root_elt
    application = document.interface.app
    version = "Soap12" if "soap12" in application.in_protocol.type else ""
    name, (service,) = application.name, application.services
    port_type, binding = f"{name}PortType", f"{name}{version}Binding"
    for element in root.iter(f"{_WSDL}operation"):
        if "parameterOrder" in element.attrib:
            del element.attrib["parameterOrder"]
    for element in root.iter(f"{_WSDL}portType"):
        element.set("name", port_type)
    for element in root.iter(f"{_WSDL}binding"):
        element.set("name", binding)
        element.set("type", f"tns:{port_type}")
    for element in root.iter(f"{_WSDL}port"):
        element.set("name", f"{name}{version}Port")
        element.set("binding", f"tns:{binding}")
    for element in root.iter(f"{_WSDL}service"):
        words = etree.Element(f"{_WSDL}documentation")
        words.text = " ".join((service.__doc__ or "").split())
        element.insert(0, words)
    for schema in root.iter(f"{_XSD}schema"):
        _keep_elements_of_messages(root, schema, service)
        _leave_defaults_out(schema)
        _explain_types(schema)
        # Spyne's order changes from one process to the next.
        schema[:] = sorted(schema, key=lambda each: (each.tag, each.get("name") or ""))
    _tidy_words(root)
    etree.cleanup_namespaces(root, keep_ns_prefixes=_KEPT)
    etree.indent(root)


def _keep_elements_of_messages(root: etree._Element, schema: etree._Element, service: Any) -> None:
    """Global elements: those that messages name, with the type of an operation inside."""
    named = {part.get("element") for part in root.iter(f"{_WSDL}part")}
    types = {each.get("name"): each for each in schema.iterfind(f"{_XSD}complexType")}
    for element in schema.findall(f"{_XSD}element"):
        name = element.get("name") or ""
        if f"tns:{name}" not in named:
            schema.remove(element)
        elif name.removesuffix("Response") in service.public_methods:
            inner = types[name]
            del inner.attrib["name"], element.attrib["type"]
            element.append(inner)


def _leave_defaults_out(schema: etree._Element) -> None:
    """Optional fields of requests that .NET cannot set to null: the value that a new object has
    is not sent. Else svcutil's clients send each of them always, whether it was set or not."""
    values = {f"xs:{name}" for name in ("boolean", "dateTime", "int")}
    for each in schema.iterfind(f"{_XSD}simpleType"):
        (restriction,) = each.iterfind(f"{_XSD}restriction")
        enumerated = restriction.find(f"{_XSD}enumeration") is not None
        if enumerated or restriction.get("base") in values:
            values.add(f"tns:{each.get('name')}")
    for request in schema.iterfind(f"{_XSD}complexType"):
        if not (request.get("name") or "").endswith("Request"):
            continue
        for field in request.iterfind(f"{_XSD}sequence/{_XSD}element[@minOccurs='0']"):
            if field.get("type") in values:
                (annotation,) = field.iterfind(f"{_XSD}annotation")
                # svcutil looks at the first item of an annotation only.
                appinfo = etree.Element(f"{_XSD}appinfo")
                annotation.insert(0, appinfo)
                nsmap: Any = {None: _DATA_CONTRACT}
                word = etree.SubElement(appinfo, f"{{{_DATA_CONTRACT}}}DefaultValue", nsmap=nsmap)
                word.set("EmitDefaultValue", "false")


def _explain_types(schema: etree._Element) -> None:
    """The docstring of each model; Spyne writes that of its members only."""
    for each in schema.iterfind(f"{_XSD}complexType"):
        model = getattr(contract, each.get("name") or "", None)
        if model is not None:
            annotation = etree.Element(f"{_XSD}annotation")
            etree.SubElement(annotation, f"{_XSD}documentation").text = model.__doc__
            each.insert(0, annotation)


def _tidy_words(root: etree._Element) -> None:
    """Docstrings as one line each."""
    for tag in (f"{_WSDL}documentation", f"{_XSD}documentation"):
        for element in root.iter(tag):
            element.text = " ".join((element.text or "").split())


def build_wsdl(application: Any, url: str) -> bytes:
    """The WSDL of a Spyne application that has its protocols and transport."""
    document = application.interface.docs.wsdl11
    document.event_manager.add_listener("wsdl_document_built", _put_right)
    document.build_interface_document(url)
    built: bytes = document.get_interface_document()
    return built


def build_callback_wsdl(url: str) -> bytes:
    """The WSDL of what a client offers to be called back, SOAP 1.1; `url` is an example."""
    application = Application(
        [SmsCallback], NS, name=CALLBACK_NAME, in_protocol=Soap11(), out_protocol=Soap11()
    )
    application.transport = "http://schemas.xmlsoap.org/soap/http"
    return build_wsdl(application, url)


def schema_of(wsdl: bytes) -> bytes:
    """The schema within a WSDL, as a document of its own."""
    found = etree.fromstring(wsdl).find(f"{_WSDL}types/{_XSD}schema")
    assert found is not None
    schema = etree.fromstring(etree.tostring(found))
    etree.cleanup_namespaces(schema, keep_ns_prefixes=_KEPT)
    etree.indent(schema)
    written: bytes = etree.tostring(schema, xml_declaration=True, encoding="UTF-8")
    return written

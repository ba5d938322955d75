"""The WSDL and XSD of the contract, as old toolkits can read them (docs/integrator/soap.md).

Spyne makes the documents; here they are put right: message parts without `parameterOrder`,
portType, binding and port with names of their own, and no namespace declared that is not used
(gSOAP takes a stray `soap12env` for a SOAP 1.2 binding).
"""

from __future__ import annotations

from typing import Any

from lxml import etree

from adapter.contract import CALLBACK_NAME, NS, SmsCallback
from adapter.spyne_compat import Application, Soap11

_WSDL = "{http://schemas.xmlsoap.org/wsdl/}"
_XSD = "{http://www.w3.org/2001/XMLSchema}"
_KEPT = ["tns", "xs"]


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
        # Spyne's order changes from one process to the next.
        schema[:] = sorted(schema, key=lambda each: (each.tag, each.get("name") or ""))
    _tidy_words(root)
    etree.cleanup_namespaces(root, keep_ns_prefixes=_KEPT)
    etree.indent(root)


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

"""What is wrong with the TLS of a connection or a listener: settings without effect, and files that
cannot be used, found before a connection needs them."""

from __future__ import annotations

import ssl
from pathlib import Path

from lxml import etree

from adapter.config.notes import Notes
from adapter.security.secrets import is_exposed
from connectors.tls import client_context, fault


def tls_of_connection(notes: Notes, connection: etree._Element) -> None:
    if notes.get(connection, "tls") != "true":
        for attribute in map(str, connection.attrib):
            if attribute.startswith("tls-"):
                message = f'{attribute} has no effect without tls="true"'
                notes.fault(connection, attribute, message)
        return
    if notes.get(connection, "tls-verify") == "false":
        message = "tls-verify: the gateway's certificate is not checked: anybody may pose as it"
        notes.warn(connection, "tls-verify", message)
    _files(notes, connection)


def tls_of_listener(notes: Notes, listener: etree._Element) -> None:
    if notes.get(listener, "tls-ca") and not notes.get(listener, "tls-certificate"):
        message = "tls-ca has no effect without tls-certificate"
        notes.fault(listener, "tls-ca", message)
    _files(notes, listener)


def _files(notes: Notes, element: etree._Element) -> None:
    """Files that cannot be used, found before a connection needs them."""
    ca, certificate, key = (
        notes.file(element, name) for name in ("tls-ca", "tls-certificate", "tls-key")
    )
    if key and not certificate:
        notes.fault(element, "tls-key", "tls-key has no effect without tls-certificate")
        return
    for attribute, files in (("tls-ca", (ca, "", "")), ("tls-certificate", ("", certificate, key))):
        if not any(files):
            continue
        try:
            client_context(*files)
        except ssl.SSLError as error:
            notes.fault(element, attribute, f"{attribute}: not usable: {fault(error)}")
        except OSError as error:
            notes.fault(element, attribute, f"{attribute}: cannot be read: {error.strerror}")
    if key and Path(key).exists() and is_exposed(Path(key)):
        message = f"tls-key: others than the owner may read {key}; cure: chmod 600"
        notes.warn(element, "tls-key", message)

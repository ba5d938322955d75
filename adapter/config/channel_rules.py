"""What is wrong with a `<channel>`, at the line where it stands: a version that its protocol does
not have, a login that it cannot carry, elements of another one."""

from __future__ import annotations

import re

from lxml import etree

from adapter.config.build import provider_reader
from adapter.config.notes import Notes
from adapter.config.provider_rules import examine_provider
from adapter.config.tls_rules import tls_of_connection, tls_of_listener
from connectors.codings import COMPLETE, NUMBERS, WORDS, words_of

VERSIONS = {
    "cmpp": ("2.0", "3.0"),
    "sgip": ("1.2",),
    "smgp": ("1.3", "2.0", "3.0"),
    "smpp": ("3.4",),
}
ACCOUNT_OCTETS = {"cmpp": 6, "sgip": 16, "smgp": 8, "smpp": 15}
SECRET_OCTETS = {"sgip": 16, "smgp": 15, "smpp": 64}
"""What a protocol has, and what fits into its login."""

SMPP_SERVICE = 5
WEB_PROTOCOLS = ("http", "soap")
OF_PROTOCOL = {"smgp": "smgp", "sgip": "sgip", "smpp": "smpp", "listener": "sgip"}
"""Elements of a channel that one protocol alone has."""

_VERSION = re.compile(r"[0-9]\.[0-9]")


def examine_channel(notes: Notes, channel: etree._Element) -> None:
    """Note every fault of a channel."""
    protocol, version = notes.get(channel, "protocol"), notes.get(channel, "version")
    versions = VERSIONS.get(protocol, (version,))
    if _VERSION.fullmatch(version) and version not in versions:
        message = f'version="{version}": {protocol} has {", ".join(versions)}'
        notes.fault(channel, "version", message)
    for child in channel.iterchildren(etree.Element):
        of = OF_PROTOCOL.get(etree.QName(child).localname, protocol)
        if protocol in VERSIONS and of != protocol:
            notes.fault(child, "", f"<{etree.QName(child).localname}> is for {of} alone")
        _login(notes, child, protocol)
        if etree.QName(child).localname == "connection":
            tls_of_connection(notes, child)
        elif etree.QName(child).localname == "listener":
            tls_of_listener(notes, child)
    _way_of_a_channel(notes, channel, protocol)
    _parts_of_a_channel(notes, channel, protocol)
    _encodings(notes, channel, protocol)
    _numbers(notes, channel)


def _way_of_a_channel(notes: Notes, channel: etree._Element, protocol: str) -> None:
    """A connection to a gateway, or requests to a provider."""
    parts = {etree.QName(child).localname: child for child in channel.iterchildren(etree.Element)}
    if protocol in VERSIONS:
        if "version" not in channel.attrib:
            message = f"<channel> lacks version: {protocol} has {', '.join(VERSIONS[protocol])}"
            notes.fault(channel, "", message)
        if "connection" not in parts:
            message = "<channel> lacks <connection>: where the carrier's gateway is"
            notes.fault(channel, "", message)
        if "provider" in parts:
            notes.fault(parts["provider"], "", "<provider> is for http and soap alone")
    elif protocol in WEB_PROTOCOLS:
        for name in sorted(parts.keys() - {"provider"}):
            notes.fault(parts[name], "", f"<{name}> is not for {protocol}, which has <provider>")
        if "provider" not in parts:
            message = "<channel> lacks <provider>: the requests and answers of its web service"
            notes.fault(channel, "", message)
        elif protocol == "soap" and "wsdl" not in parts["provider"].attrib:
            message = "<provider> lacks wsdl: the provider's WSDL, saved beside this file"
            notes.fault(parts["provider"], "", message)
        if "provider" in parts:
            examine_provider(notes, parts["provider"], provider_reader(notes.folder))


def _login(notes: Notes, element: etree._Element, protocol: str) -> None:
    """What the login of a connection or a listener can carry."""
    account, most = notes.get(element, "account"), ACCOUNT_OCTETS.get(protocol)
    if most is not None and len(account) > most:
        message = f"account={account!r}: {protocol} takes at most {most} characters"
        notes.fault(element, "account", message)
    most = SECRET_OCTETS.get(protocol)
    if most is not None and len(notes.get(element, "password").encode()) > most:
        notes.fault(element, "password", f"password: {protocol} takes at most {most} characters")


def _numbers(notes: Notes, channel: etree._Element) -> None:
    own, spare = notes.get(channel, "access-number"), notes.get(channel, "spare-number")
    if own and spare and (own.startswith(spare) or spare.startswith(own)):
        message = "spare-number: it and access-number begin alike: replies cannot be told apart"
        notes.fault(channel, "spare-number", message)


def _encodings(notes: Notes, channel: etree._Element, protocol: str) -> None:
    words = notes.get(channel, "encodings", "ucs2").split()
    known = words_of(protocol) if protocol in NUMBERS else tuple(WORDS)
    for word in words:
        if word in WORDS and word not in known:
            message = f"encodings: {protocol} has no {word}; it has {', '.join(known)}"
            notes.fault(channel, "encodings", message)
    if words and not COMPLETE.intersection(words):
        message = "encodings: not every text can be written so: add ucs2 or gb18030"
        notes.fault(channel, "encodings", message)


def _parts_of_a_channel(notes: Notes, channel: etree._Element, protocol: str) -> None:
    parts = {etree.QName(child).localname: child for child in channel.iterchildren(etree.Element)}
    if protocol == "sgip" and "sgip" not in parts:
        notes.fault(channel, "", "sgip needs <sgip corp=...>: the enterprise code")
    if protocol == "sgip" and "listener" not in parts:
        message = "no <listener>: the gateway cannot deliver receipts and replies"
        notes.warn(channel, "", message)
    if "connection" in parts and notes.get(parts["connection"], "links", "1") == "1":
        for own in (parts[name] for name in ("smgp", "smpp") if name in parts):
            if notes.get(own, "separate") == "true":
                message = (
                    "separate: one connection to receive and one to send need links of 2 or more"
                )
                notes.fault(own, "separate", message)
    if protocol == "smpp" and len(notes.get(channel, "service-id")) > SMPP_SERVICE:
        message = f"service-id: smpp takes at most {SMPP_SERVICE} characters (service_type)"
        notes.fault(channel, "service-id", message)

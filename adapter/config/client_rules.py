"""What is wrong with a `<client>`, at the line where it stands: what it may not send by default,
proofs that it cannot show or that a door cannot see, keys that do not fit their cipher."""

from __future__ import annotations

import base64
from collections.abc import Mapping

from lxml import etree

from adapter.config.channel_rules import ACCOUNT_OCTETS
from adapter.config.document import NAMESPACE
from adapter.config.notes import Notes, repeated
from adapter.domain.client import ContentCipher
from adapter.domain.states import Door, Lane
from adapter.security.certificates import subject
from adapter.security.contents import KEY_OCTETS
from adapter.security.passwords import is_hash


def examine_client(notes: Notes, client: etree._Element) -> None:
    """Note every fault of a client."""
    for rule in (_uses, _hashes, _proofs, _seen, _content_keys, _certificates, _cmpp_account):
        rule(notes, client)


def _uses(notes: Notes, client: etree._Element) -> None:
    """What it sends by default must be among what it may send."""
    businesses = notes.get(client, "businesses").split()
    business = notes.get(client, "business", "general")
    if businesses and business not in businesses:
        message = f"businesses: the client's own business {business} is not among them"
        notes.fault(client, "businesses", message)
    lanes = notes.get(client, "lanes").split()
    lane = notes.get(client, "lane", Lane.NORMAL)
    if lanes and lane not in lanes:
        message = f"lanes: the client's own lane {lane} is not among them"
        notes.fault(client, "lanes", message)
    doubts = client.iterchildren(f"{{{NAMESPACE}}}doubt")
    for doubt, name in repeated(notes, doubts, "lane"):
        notes.fault(doubt, "lane", f"there are two rules for the lane {name}")


def _hashes(notes: Notes, client: etree._Element) -> None:
    for password in client.iterchildren(f"{{{NAMESPACE}}}password"):
        if (written := notes.get(password, "hash")) and not is_hash(written):
            message = "hash is not an argon2 hash; make one with: sms-adapter hash"
            notes.fault(password, "hash", message)


def _cmpp_account(notes: Notes, client: etree._Element) -> None:
    most = ACCOUNT_OCTETS["cmpp"]
    if "cmpp-secret" not in client.attrib:
        if "cmpp-secret-old" in client.attrib:
            message = "cmpp-secret-old: it is only for the time beside a new cmpp-secret"
            notes.fault(client, "cmpp-secret-old", message)
        return
    if len(notes.get(client, "account")) > most:
        message = f"cmpp-secret: CMPP carries accounts of at most {most} characters"
        notes.fault(client, "cmpp-secret", message)
    doors = notes.get(client, "doors").split()
    if doors and Door.CMPP not in doors:
        message = f"cmpp-secret has no effect: the client's doors are {' '.join(doors)}"
        notes.fault(client, "cmpp-secret", message)


MEANS = {
    "password": "password",
    "digest": "digest-secret",
    "hmac": "hmac-key",
    "certificate": "certificate",
    "signature": "certificate",
}
"""What a client must have configured to show a kind of proof."""
ENTRY_DOORS = {
    "password": (Door.SOAP, Door.HTTP, Door.SOCKET),
    "digest": (Door.SOAP, Door.CMPP),
    "hmac": (Door.SOAP, Door.HTTP),
    "certificate": (Door.SOAP, Door.HTTP, Door.SOCKET, Door.CMPP),
    "signature": (Door.SOAP,),
}
"""Where each kind can be shown."""


def _proofs(notes: Notes, client: etree._Element) -> None:
    keys = client.iterchildren(f"{{{NAMESPACE}}}hmac-key")
    for key, name in repeated(notes, keys, "id"):
        notes.fault(key, "id", f"there are two <hmac-key> with id {name!r}")
    has = {etree.QName(child).localname for child in client.iterchildren(etree.Element)}
    if "cmpp-secret" in client.attrib:
        has.add(MEANS["digest"])
    for entry in client.iterchildren(f"{{{NAMESPACE}}}entry"):
        for kind in notes.get(entry, "needs").split():
            if kind in MEANS and MEANS[kind] not in has:
                notes.fault(entry, "needs", f"needs: the client has no <{MEANS[kind]}>")
            for door in notes.get(entry, "doors").split():
                if kind in ENTRY_DOORS and door not in ENTRY_DOORS[kind]:
                    where = ", ".join(ENTRY_DOORS[kind])
                    message = f"needs: {kind} can be shown at {where}, not at {door}"
                    notes.fault(entry, "needs", message)


SEES_CERTIFICATES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    Door.SOAP: ("web", ("tls-ca", "proxies")),
    Door.HTTP: ("web", ("tls-ca", "proxies")),
    Door.SOCKET: ("socket", ("tls-ca",)),
    Door.CMPP: ("cmpp-server", ("tls-ca",)),
}
"""The element of each door, and what it needs to learn of a client's certificate."""


def _seen(notes: Notes, client: etree._Element) -> None:
    """A way in by a certificate, at a door that never sees one, is a way that nobody can go."""
    for entry in client.iterchildren(f"{{{NAMESPACE}}}entry"):
        if "certificate" not in notes.get(entry, "needs").split():
            continue
        for door in notes.get(entry, "doors").split():
            if door not in SEES_CERTIFICATES:
                continue
            name, means = SEES_CERTIFICATES[door]
            for opened in notes.all(name):
                if not any(notes.get(opened, each) for each in means):
                    message = f"needs: <{name}> sees no certificates without {' or '.join(means)}"
                    notes.fault(entry, "needs", message)


def _certificates(notes: Notes, client: etree._Element) -> None:
    for each in client.iterchildren(f"{{{NAMESPACE}}}certificate"):
        fingerprint, name = notes.get(each, "fingerprint"), notes.get(each, "subject")
        if bool(fingerprint) == bool(name):
            notes.fault(each, "", "<certificate> has a fingerprint or a subject, one of them")
        try:
            subject(name)
        except ValueError:
            notes.fault(each, "subject", f"subject={name!r}: write it as CN=his,O=Hospital")


def _content_keys(notes: Notes, client: etree._Element) -> None:
    keys = list(client.iterchildren(f"{{{NAMESPACE}}}content-key"))
    for key, name in repeated(notes, keys, "id"):
        notes.fault(key, "id", f"there are two <content-key> with id {name!r}")
    for key in keys:
        cipher, written = notes.get(key, "cipher"), notes.get(key, "key")
        if not written or cipher not in set(ContentCipher):
            continue
        octets = KEY_OCTETS[ContentCipher(cipher)]
        try:
            fits = len(base64.b64decode(written, validate=True)) == octets
        except ValueError:
            fits = False
        if not fits:
            notes.fault(key, "key", f"key: {cipher} needs {octets} octets, written in base64")

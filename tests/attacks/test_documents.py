"""Documents and bodies made to do harm, at every door that reads them, before and after a login."""

from __future__ import annotations

import gzip
import json
import socket
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adapter.contract import NS
from tests.attacks.conftest import under_attack
from tests.contract.conftest import PASSWORD, House, who
from tests.contract.doors import SOAP11, Heard, Web
from tests.doors.wire import SocketClient, text
from tests.nodes import HOST, until

XML_DOORS = ("soap11", "soap12", "xml", "string", "socket")
SECRET = "root:x:0:0"
SEND = (
    f'<Send xmlns="{NS}"><request><content>CONTENT</content><recipients><Recipient>'
    "<mobile>13400000000</mobile></Recipient></recipients></request></Send>"
)


def laughs(levels: int = 12) -> str:
    """A billion laughs: each entity is ten of the one before."""
    lines = ['<!ENTITY l0 "lol">']
    lines += [f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, levels)]
    return f"<!DOCTYPE b [{''.join(lines)}]>" + SEND.replace("CONTENT", f"&l{levels - 1};")


def quadratic() -> str:
    """One large entity, many times."""
    entity = f'<!DOCTYPE b [<!ENTITY a "{"a" * 100_000}">]>'
    return entity + SEND.replace("CONTENT", "&a;" * 10_000)


def external(target: str) -> dict[str, str]:
    """Documents that would have the node read something."""
    include = f'<i:include xmlns:i="http://www.w3.org/2001/XInclude" href="{target}" parse="text"/>'
    plain = SEND.replace("CONTENT", "x")
    return {
        "external entity": f'<!DOCTYPE a [<!ENTITY x SYSTEM "{target}">]>'
        + SEND.replace("CONTENT", "&x;"),
        "parameter entity": f'<!DOCTYPE a [<!ENTITY % x SYSTEM "{target}"> %x;]>' + plain,
        "external DTD": f'<!DOCTYPE a SYSTEM "{target}">' + plain,
        "XInclude": SEND.replace("CONTENT", include),
        "XInclude of elements": plain.replace("<request>", f"<request>{include}"),
        "schema location": plain.replace(
            "<Send ",
            '<Send xmlns:i="http://www.w3.org/2001/XMLSchema-instance" '
            f'i:schemaLocation="{NS} {target}" ',
        ).replace("<request>", "<request><colour/>"),
        "stylesheet": f'<?xml-stylesheet type="text/xsl" href="{target}"?>'
        + plain.replace("<request>", "<request><colour/>"),
    }


KINDS = tuple(external(""))


def log_in(house: House, document: str) -> str | None:
    """What the socket door says to a document in the place of a login."""
    with SocketClient(house.socket_port) as client:
        return text(client.ask(document), "code")


def refused_by_all(house: House, document: str) -> list[Heard]:
    """What the doors of documents say to it; all have to refuse it."""
    octets = document.encode()
    heard = {name: house.doors[name].post(who("all"), "Send", octets) for name in XML_DOORS}
    assert {name: each.code for name, each in heard.items()} == dict.fromkeys(heard, "BAD_REQUEST")
    return list(heard.values())


@pytest.mark.parametrize("make", [laughs, quadratic])
def test_entities_that_grow(house: House, make: Callable[[], str]) -> None:
    document = make()
    with under_attack(house) as others:
        refused_by_all(house, document)
        assert log_in(house, laughs(8)) == "BAD_REQUEST"
        others.served()


@pytest.mark.parametrize("kind", KINDS)
def test_files_and_addresses_that_a_document_names_are_not_read(house: House, kind: str) -> None:
    """A file's text comes back nowhere, and nobody is asked."""
    with under_attack(house), socket.create_server((HOST, 0)) as listener:
        listener.setblocking(False)
        for target in ("file:///etc/passwd", f"http://{HOST}:{listener.getsockname()[1]}/x"):
            for heard in refused_by_all(house, external(target)[kind]):
                assert SECRET not in heard.description
        with pytest.raises(BlockingIOError):
            listener.accept()


@pytest.mark.parametrize("depth", [300, 100_000])
def test_elements_nested_too_deeply(house: House, depth: int) -> None:
    with under_attack(house):
        refused_by_all(house, SEND.replace("CONTENT", "<a>" * depth + "</a>" * depth))
        refused_by_all(house, "<a>" * depth)
        assert log_in(house, "<a>" * 300) == "BAD_REQUEST"


def test_elements_without_number(house: House) -> None:
    with under_attack(house):
        document = SEND.replace("CONTENT", "<a/>" * 1_000_001)
        for name in ("soap11", "soap12", "xml"):
            heard = house.doors[name].post(who("all"), "Send", document.encode())
            assert heard.code == "BAD_REQUEST"


NESTED = {
    "arrays": "[" * 1_000_000,
    "objects": '{"a":' * 1_000_000,
    "arrays that close": "[" * 50_000 + "]" * 50_000,
    "within a member": '{"content":' + "[" * 30 + "]" * 30 + "}",
}


@pytest.mark.parametrize("kind", NESTED)
def test_json_nested_too_deeply(house: House, kind: str) -> None:
    with under_attack(house):
        heard = house.doors["json"].post(who("all"), "Send", NESTED[kind].encode())
        assert heard.code == "BAD_REQUEST"


GOOD = '{"content": "x", "recipients": [{"mobile": "13400000000"}]'
DOUBLED = {
    "the content": GOOD + ', "content": "y"}',
    "the recipients": GOOD + ', "recipients": [{"mobile": "13400000001"}]}',
    "with an escape": GOOD + ', "c\\u006fntent": "y"}',
    "within a recipient": '{"content": "x", "recipients": [{"mobile": "1", "mobile": "2"}]}',
    "null and a value": GOOD + ', "content": null}',
    "among very many": "{" + ",".join(f'"k{n}":1' for n in range(300_000)) + ',"k7":1}',
}


@pytest.mark.parametrize("kind", DOUBLED)
def test_json_members_given_twice(house: House, kind: str) -> None:
    with under_attack(house):
        heard = house.doors["json"].post(who("all"), "Send", DOUBLED[kind].encode())
        assert heard.code == "BAD_REQUEST"
        assert "given twice" in heard.description


COSTLY = {
    "quotes in a string without an end": "[" * 19 + '{"a":"' + '\\"' * 2_000_000 + "[" * 30,
    "a number without an end": '{"content": ' + "1" * 3_000_000 + "}",
    "millions of empty lists": "[" + "[]," * 3_000_000 + "[]]",
    "one long string": '{"content": "' + "x" * 15_000_000 + '"}',
}


@pytest.mark.parametrize("kind", COSTLY)
def test_json_that_costs_more_than_it_is_worth(house: House, kind: str) -> None:
    with under_attack(house) as others:
        heard = house.doors["json"].post(who("nobody"), "Send", COSTLY[kind].encode())
        assert heard.refused
        others.served()


def test_more_json_than_is_taken(house: House) -> None:
    with under_attack(house):
        for path in ("/api/json/Send", "/api/xml/Send", "/soap", "/soap12"):
            status, body = raw(house, path, b"{", Content_Length="20000001")
            assert status == 413
            assert b"BAD_REQUEST" in body


def raw(house: House, path: str, octets: bytes, **headers: str) -> tuple[int, bytes]:
    """A POST with these headers; its status and body."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    status, body, _ = Web(house.web_port).send(path, octets, named)
    return status, body


def bomb(octets: int) -> bytes:
    """Gzip of so many blanks."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    piece = b" " * 1_000_000
    return b"".join(packer.compress(piece) for _ in range(octets // len(piece))) + packer.flush()


BOMBS = {
    "a gigabyte": bomb(1_000_000_000),
    "packed twice": gzip.compress(bomb(1_000_000_000)),
    "cut off": bomb(50_000_000)[:-20],
    "several in a row": bomb(19_000_000) * 50,
    "not gzip": b"\x1f\x8b" + bytes(1_000),
}


@pytest.mark.parametrize("kind", BOMBS)
def test_gzip_bombs(house: House, kind: str) -> None:
    peak = memory_peak_kb(house)
    with under_attack(house):
        for path in ("/soap", "/soap12", "/api/xml/Send", "/api/json/Send"):
            status, body = raw(house, path, BOMBS[kind], Content_Encoding="gzip")
            assert status in (400, 413, 500)
            assert b"BAD_REQUEST" in body
    assert memory_peak_kb(house) - peak < 200_000


def memory_peak_kb(house: House) -> int:
    """The most memory that the node ever had; 0 where the system does not say."""
    status = Path(f"/proc/{house.node.pid}/status")
    if not status.exists():
        return 0
    found = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return int(found.split()[1])


TEXT = "您的验证码为4711，镕"
LABELS = [
    ("utf-8", "utf-8"),
    ("gbk", "utf-8"),
    ("utf-8", "gb18030"),
    ("iso-8859-1", "gb18030"),
    ("utf-16", "utf-8"),
    ("utf-7", "utf-8"),
    ("punycode", "gb18030"),
    ("unicode_escape", "utf-8"),
    ("nonsense", "utf-8"),
    ("utf-32", "utf-8"),
    ("utf-8", "utf-16"),
]
"""What a client says, and what it sends."""


@pytest.mark.parametrize(("label", "encoding"), LABELS)
def test_a_wrong_charset_never_garbles_a_text(house: House, label: str, encoding: str) -> None:
    asked: dict[str, Any] = {"content": TEXT, "recipients": [{"mobile": "13400000099"}]}
    document = SEND.replace("CONTENT", TEXT).replace("13400000000", "13400000099")
    shown = (
        f"<Credentials xmlns='{NS}'><account>all</account>"
        f"<password>{PASSWORD}</password></Credentials>"
    )
    envelope = (
        f"<?xml version='1.0' encoding='{label}'?><e:Envelope xmlns:e='{SOAP11}'>"
        f"<e:Header>{shown}</e:Header><e:Body>{document}</e:Body></e:Envelope>"
    )
    before = len(sent_to(house, "13400000099"))
    kind = f"; charset={label}"
    status, body = raw(house, "/soap", envelope.encode(encoding), Content_Type=f"text/xml{kind}")
    assert status == 200, body
    body = json.dumps(asked, ensure_ascii=False).encode(encoding)
    heard = house.doors["json"].post(who("all"), "Send", body)
    assert not heard.refused
    frame = f"<?xml version='1.0' encoding='{label}'?>{document}".encode(encoding)
    with SocketClient(house.socket_port) as client:
        client.log_in("all", PASSWORD)
        client.socket.sendall(len(frame).to_bytes(4, "big") + frame)
        assert text(client.read(), "code") == "OK"
    sent = sent_to(house, "13400000099", before + 3)[before:]
    assert sent == [TEXT] * 3


def sent_to(house: House, mobile: str, least: int = 0) -> list[str]:
    """The texts that a number got, when it has got so many."""

    def found() -> list[str]:
        return [each["text"] for each in house.carrier.taken() if each["destination"] == mobile]

    until(lambda: len(found()) >= least)
    return found()

"""`<callback>`: what is read, and every fault that one can make, in its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapter.config import model
from adapter.config.load import check, load
from connectors.web.settings import Call, Format, Result
from tests.config.conftest import Write
from tests.config.test_faults import told

ROOT = Path(__file__).parents[2]
KEY = "0123456789abcdef"
SIGNED = f'key-id="k" secret="{KEY}"'
BASIC = 'user="u" password="p"'
URL = 'url="https://h/e"'


def client(attributes: str, inside: str = "", before: str = "") -> str:
    return (
        f'<clients><client account="his">{before}\n<callback {attributes}>{inside}</callback>'
        "</client></clients>"
    )


def test_everything_is_read(write: Write, tmp_path: Path) -> None:
    attributes = (
        'url="https://h/e" format="xml" events="inbound" batch="7" connections="2"'
        ' connect-timeout="1s" response-timeout="2s" max-answer="1kB" retry-min="3s"'
        f' retry-max="4s" give-up="5d" {SIGNED} algorithm="hmac-sm3" enabled="false"'
        ' proxy="http://p:8080"'
    )
    inside = '<header name="X-Token" value="${env:T}"/>'
    (callback,) = load(write(client(attributes, inside)), {"T": "t-1"}).callbacks
    assert callback == model.Callback(
        "his",
        "https://h/e",
        "xml",
        ("inbound",),
        7,
        2,
        1.0,
        2.0,
        1_000,
        3.0,
        4.0,
        5 * 86_400.0,
        "k",
        KEY,
        "hmac-sm3",
        proxy="http://p:8080",
        headers=(("X-Token", "t-1"),),
        enabled=False,
    )
    for hidden in (KEY, "t-1", "https://h/e"):
        assert hidden not in repr(callback)


def test_calls_of_its_own_say_which_events_are_brought(write: Write) -> None:
    inside = (
        '<inbound method="PUT" format="form" charset="GBK" content-type="a/b">'
        '<field name="t">${content}</field><answer success="code" success-is="0 1"/></inbound>'
    )
    (callback,) = load(write(client(URL, inside)), {}).callbacks
    assert callback.events == ("inbound",)
    call = Call("", "PUT", Format.FORM, "GBK", "a/b", fields=(("t", "${content}"),))
    answer = Result(success="code", success_is=("0", "1"))
    assert callback.inbound == model.CallbackCall(call, answer)
    assert callback.receipt is None
    assert callback.transport.values == {"account": "his"}


def test_files_are_found_from_the_folder_of_the_configuration(write: Write, tmp_path: Path) -> None:
    (tmp_path / "c.wsdl").write_bytes((ROOT / "wsdl/SmsExchange.wsdl").read_bytes())
    inside = '<receipt operation="Ping"/>'
    (callback,) = load(write(client('wsdl="c.wsdl"', inside)), {}).callbacks
    assert callback.wsdl == (tmp_path / "c.wsdl").as_posix()


CASES = [
    ("", "", "3: <callback> lacks url: where events are brought"),
    ('url="ftp://h/"', "", "3: url: must be an address that begins with http:// or https://*"),
    ('url="http://h/a b"', "", "3: url: must be an address that begins with http:// or https://*"),
    ('url="http://u:p@h/"', "", "3: url: user and password have attributes of their own"),
    ('url="http:///e"', "", "3: url: it names no host"),
    (f'{URL} batch="0"', "", '3: batch="0": must be a whole number from 1 to 1000'),
    (f'{URL} events=""', "", '3: events="": must be *'),
    (f'{URL} key-id="k"', "", "3: key-id has no effect without secret"),
    (f'{URL} secret="{KEY}"', "", "3: secret has no effect without key-id"),
    (f'{URL} key-id="k" secret="short"', "", "3: secret: must be a secret of 16 to 1024*"),
    (f'{URL} password="p"', "", "3: password has no effect without user"),
    (f"{URL} {SIGNED} {BASIC}", "", "3: user: a signature and HTTP Basic have the same header*"),
    (
        f'url="http://h/e" {BASIC}',
        "",
        "3: warning: user: without https:// anybody on the way reads the password",
    ),
    (f'{URL} retry-min="1h"', "", "3: retry-min='1h' is longer than retry-max='10min'"),
    (
        f'{URL} give-up="31d"',
        "",
        "3: give-up: after 30 days (notices-keep-days) an event is kept no more",
    ),
    (f'{URL} ca="no.pem"', "", "3: ca: the file cannot be used: No such file or directory"),
    (f'{URL} certificate-key="k.pem"', "", "3: certificate-key: it has no effect without*"),
    (f'{URL} wsdl="no.wsdl"', "", "3: wsdl has no effect without <receipt operation=...>*"),
    (
        f'{URL} wsdl="no.wsdl"',
        '<receipt operation="A"/>',
        "3: wsdl: no.wsdl: the file cannot be read: No such file or directory",
    ),
    (URL, '<receipt operation="A"/>', "3: operation: it needs wsdl in <callback>"),
    ("", "<receipt/>", "3: url: there is none"),
    (f'{URL} format="soap"', "<receipt/>", "3: format has no effect beside <receipt> and*"),
    (URL, "<receipt><body>${content}</body></receipt>", "3: <body>: nothing fills ${content}*"),
    (URL, "<inbound><body>${state}</body></inbound>", "3: <body>: nothing fills ${state}*"),
    (URL, "<receipt><answer/></receipt>", "3: <answer> lacks success: a path to what tells it"),
    (
        URL,
        '<receipt><answer success="a["/></receipt>',
        "3: success: 'a[' is no JMESPath*",
    ),
    (
        URL,
        '<receipt><answer success="a"/></receipt>',
        "3: success-is: success needs the values that mean success",
    ),
    (URL, '<header name="Host" value="x"/>', "3: name: host is written by us"),
    (f"{URL} {SIGNED}", '<header name="Authorization" value="x"/>', "3: name: authorization is*"),
    (URL, '<header name="X" value="1"/><header name="x" value="2"/>', "3: there are two <header>*"),
    (URL, '<header name="X" value="a&#10;b"/>', "3: value: a header takes printable*"),
    (URL, "<receipts/>", "3: <callback> has no element <receipts>; allowed: <header>*"),
]


@pytest.mark.parametrize(("attributes", "inside", "expected"), CASES)
def test_a_fault_is_told_in_its_place(
    write: Write, attributes: str, inside: str, expected: str
) -> None:
    found = told(write(client(attributes, inside)))
    start = expected.removesuffix("*")
    assert len(found) == 1, found
    assert found[0].startswith(start) if expected.endswith("*") else found[0] == start


def test_a_key_that_the_client_signs_with_is_refused(write: Write) -> None:
    """What we sign would be good at our own door."""
    found = told(write(client(f"{URL} {SIGNED}", before=f'<hmac-key id="a" secret="{KEY}"/>')))
    assert found == ["3: secret: the client signs with it, too: what we sign could be shown to us"]


def test_notices_that_are_kept_longer_may_be_tried_longer(write: Write) -> None:
    jobs = '<jobs notices-keep-days="60"/>'
    assert check(write(client(f'{URL} give-up="31d"') + jobs), {}) == []


def test_the_wsdl_tells_of_arguments_that_it_does_not_take(write: Write, tmp_path: Path) -> None:
    (tmp_path / "c.wsdl").write_bytes((ROOT / "wsdl/callback.wsdl").read_bytes())
    attributes = 'wsdl="c.wsdl"'
    inside = '<receipt operation="Notify"><field name="wrong">x</field></receipt>'
    (found,) = told(write(client(attributes, inside)))
    assert found.startswith("3: Notify: ")
    inside = '<receipt operation="Tell"/>'
    (found,) = told(write(client(attributes, inside)))
    assert found == "3: the WSDL has no operation 'Tell'; it has Notify"

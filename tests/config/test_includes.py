"""xi:include: local files only, faults told where they stand."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapter.config.document import MAX_INCLUDE_DEPTH
from adapter.config.load import check, load
from tests.config.conftest import Write

NS = 'xmlns="urn:his-sms:config:1" xmlns:xi="http://www.w3.org/2001/XInclude"'


def test_a_section_and_single_entries_can_stand_in_other_files(write: Write) -> None:
    write(f'<client {NS} account="his" title="HIS"/>', "more/his.xml", whole=True)
    write(
        f'<clients {NS}>\n<xi:include href="more/his.xml"/>\n<client account="lis"/></clients>',
        "clients.xml",
        whole=True,
    )
    config = load(write('<node name="n"/><xi:include href="clients.xml"/><web port="1"/>'), {})
    assert [c.account for c in config.clients] == ["his", "lis"]
    assert (config.node.name, config.web.port) == ("n", 1)


def test_an_include_is_looked_for_beside_the_file_that_includes_it(write: Write) -> None:
    write(f'<node {NS} name="inner"/>', "a/b/node.xml", whole=True)
    write('<xi:include href="b/node.xml"/>', "a/adapter.xml")
    assert load(write('<xi:include href="b/node.xml"/>', "a/adapter.xml"), {}).node.name == "inner"


def test_a_fault_in_an_included_file_is_told_there(write: Write) -> None:
    clients = write(
        f'<?xml version="1.0"?>\n<clients {NS}>\n  <client account="a"\n    colour="red"/>\n'
        '  <client account="a"/>\n</clients>',
        "clients.xml",
        whole=True,
    )
    path = write('<node/>\n<xi:include href="clients.xml"/>\n<web port="0"/>')
    found = [(f.file, f.line) for f in check(path, {})]
    assert found == [(path, 4), (clients, 4), (clients, 5)]


def test_broken_xml_in_an_included_file_is_told_there(write: Write) -> None:
    broken = write(f"<clients {NS}>\n<client\n</clients>", "clients.xml", whole=True)
    (fault,) = check(write('<xi:include href="clients.xml"/>'), {})
    assert (fault.file, fault.line) == (broken, 3)


def test_a_missing_file_is_told_where_it_is_asked_for(write: Write) -> None:
    path = write('<node/>\n<xi:include\n  href="none.xml"/>')
    (fault,) = check(path, {})
    assert (fault.file, fault.line) == (path, 3)
    assert "none.xml: the file cannot be read" in fault.message


@pytest.mark.parametrize(
    "href",
    [
        "http://127.0.0.1:9/x.xml",
        "HTTPS://h/x.xml",
        "file:///etc/passwd",
        "ftp://h/x",
        "//host/x.xml",
        "\\\\host\\share\\x.xml",
        "/\\host/x.xml",
    ],
)
def test_nothing_is_fetched(href: str, write: Write) -> None:
    (fault,) = check(write(f'<xi:include href="{href}"/>'), {})
    assert fault.message == f"{href}: only local files can be included, not an address"


@pytest.mark.parametrize(
    ("include", "message"),
    [
        ("<xi:include/>", 'xi:include needs href="FILE"'),
        ('<xi:include href="x" parse="text"/>', "xi:include takes href only"),
        ('<xi:include href="x" xpointer="y"/>', "xi:include takes href only"),
        ('<xi:include href="x"><xi:fallback/></xi:include>', "xi:include must be empty"),
    ],
)
def test_what_else_xinclude_can_do_is_refused(include: str, message: str, write: Write) -> None:
    (fault,) = check(write(include), {})
    assert fault.message.startswith(message)


def test_a_circle_is_noticed(write: Write) -> None:
    a = write(f'<clients {NS}>\n<xi:include href="b.xml"/></clients>', "a.xml", whole=True)
    write(f'<client {NS} account="x"><xi:include href="./a.xml"/></client>', "b.xml", whole=True)
    (fault,) = check(write('<xi:include href="a.xml"/>'), {})
    assert fault.file == a.parent / "b.xml"
    assert fault.message == "./a.xml includes itself: adapter.xml -> a.xml -> b.xml -> a.xml"


def test_depth_and_number_are_limited(write: Write, tmp_path: Path) -> None:
    for n in range(MAX_INCLUDE_DEPTH + 2):
        write(f'<x {NS}><xi:include href="{n + 1}.xml"/></x>', f"{n}.xml", whole=True)
    messages = [f.message for f in check(write('<xi:include href="0.xml"/>'), {})]
    assert any("nested deeper than 8" in m for m in messages)
    write(f'<client {NS} account="x"/>', "one.xml", whole=True)
    many = write("<clients>" + '<xi:include href="one.xml"/>\n' * 210 + "</clients>")
    refused = [f for f in check(many, {}) if "more than 200 files" in f.message]
    assert len(refused) == 10


def test_an_included_dtd_is_refused(write: Write) -> None:
    write(f"<!DOCTYPE clients><clients {NS}/>", "clients.xml", whole=True)
    (fault,) = check(write('<xi:include href="clients.xml"/>'), {})
    assert fault.message == "<!DOCTYPE> and entities are not allowed"


def test_files_are_named_the_way_the_first_one_was(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(f'<node {NS} id="x"/>', "parts/node.xml", whole=True)
    write('<xi:include href="parts/node.xml"/>')
    monkeypatch.chdir(tmp_path)
    (fault,) = check("adapter.xml", {})
    assert str(fault) == (
        f'{Path("parts/node.xml")}:1: id="x": must be a whole number from 0 to 1023'
    )

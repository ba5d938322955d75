"""Raw SOAP: by curl, and in what cannot run here, PL/SQL, T-SQL and PowerBuilder.

Of those for databases and PowerBuilder the documents that they would post are put together from
their sources, literal by literal, and posted to a real node; their SQL statements are parsed.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape
from zlib import crc32

import httpx
import pytest
import sqlglot
from lxml import etree

from tests.nodes import PASSWORD, until
from tests.sdk.conftest import World
from tests.sdk.front import Front, Mood
from tests.sdk.languages import EXAMPLES

NS = {"e": "urn:his-sms:exchange:1"}
ODD = "Müller & <Söhne> ' 您好"
SEND_SH = EXAMPLES / "raw/send.sh"
_DOCUMENT = re.compile(r"(?:--|//) document: (\w+)\n(.*?);\n", re.DOTALL)
_PIECE = re.compile(
    r"""N?'((?:[^']|'')*)'                # a literal
      | ([\w.]*escaped)\(([\w.@]+)\)      # a value, escaped
      | (@?[A-Za-z_][\w.]*)               # a value as it stands
      | (\|\||\+|&|:=|=|\s+)""",
    re.VERBOSE,
)


@dataclass(frozen=True)
class Source:
    """A source with documents in it; `names` are its variables' names for what tests fill in."""

    path: Path
    names: Mapping[str, str]

    def document(self, name: str, values: Mapping[str, str]) -> str:
        """One of its documents, the way its program would put it together."""
        (expression,) = (
            body for found, body in _DOCUMENT.findall(self.path.read_text("utf-8")) if found == name
        )
        _, _, expression = expression.partition("=")
        made, at = "", 0
        while at < len(expression):
            piece = _PIECE.match(expression, at)
            assert piece, expression[at : at + 40]
            at = piece.end()
            literal, escapes, escaped, plain, _ = piece.groups()
            if literal is not None:
                made += literal.replace("''", "'")
            elif escapes:
                made += escape(values[self.names[escaped]])
            elif plain:
                made += values[self.names[plain]]
        return made


SOURCES = {
    "plsql": Source(
        EXAMPLES / "plsql/his_sms.sql",
        {"v_setting.account": "account", "v_setting.password": "password", "v_text": "text",
         "p_operation": "operation", "p_request": "request", "p_client_ref": "ref",
         "p_mobile": "mobile", "v_cursor": "cursor"},
    ),
    "tsql": Source(
        EXAMPLES / "tsql/his_sms.sql",
        {"@account": "account", "@password": "password", "@text": "text", "@operation": "operation",
         "@request": "request", "@client_ref": "ref", "@mobile": "mobile", "@cursor": "cursor"},
    ),
    "powerbuilder": Source(
        EXAMPLES / "powerbuilder/n_his_sms.sru",
        {"is_account": "account", "is_password": "password", "as_content": "content",
         "as_operation": "operation", "as_request": "request", "as_client_ref": "ref",
         "as_mobile": "mobile", "ls_cursor": "cursor"},
    ),
}  # fmt: skip


@pytest.fixture(params=sorted(SOURCES))
def source(request: pytest.FixtureRequest) -> Source:
    return SOURCES[request.param]


@pytest.fixture
def mobile(request: pytest.FixtureRequest) -> str:
    return f"137{crc32(request.node.nodeid.encode()) % 10**8:08}"


Post = Callable[[str, Mapping[str, str]], etree._Element]


@pytest.fixture
def post(source: Source, world: World) -> Post:
    """Posts one of the source's operations as the source would; the answer."""

    def run(operation: str, values: Mapping[str, str]) -> etree._Element:
        name = {"Send": "send", "FetchReceipts": "fetch", "AckReceipts": "ack"}[operation]
        given = {"account": "sql", "password": PASSWORD, "operation": operation, **values}
        envelope = source.document("envelope", given | {"request": source.document(name, given)})
        headers = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": '""'}
        answer = httpx.post(f"{world.url}/soap", content=envelope.encode(), headers=headers)
        return etree.fromstring(answer.content)

    return run


def told(answer: etree._Element, name: str) -> list[str | None]:
    return [each.text for each in answer.iterfind(f".//e:{name}", NS)]


def test_the_documents_of_a_source_do_what_they_are_for(
    post: Post, world: World, mobile: str, ref: str
) -> None:
    values = {
        "ref": f"{ref}<&>", "mobile": mobile, "content": ODD,
        "text": f"<content>{escape(ODD)}</content>",
    }  # fmt: skip
    first = post("Send", values)
    assert told(first, "code") == ["OK", "OK"]
    assert told(post("Send", values), "messageId") == told(first, "messageId")
    assert world.until_sent(mobile) == [ODD]
    page = first

    def is_there() -> bool:
        nonlocal page
        page = post("FetchReceipts", {})
        return bool(told(page, "receiptId"))

    until(is_there)
    assert told(page, "state") == ["DELIVERED"]
    assert told(page, "more") == ["false"]
    (cursor,) = told(page, "cursor")
    assert cursor
    assert told(post("AckReceipts", {"cursor": cursor}), "acknowledged") == ["1"]
    assert told(post("FetchReceipts", {}), "receiptId") == []


def test_refusals_look_as_the_sources_expect(post: Post, ref: str) -> None:
    values = {"ref": ref, "mobile": "020-1", "content": "x", "text": "<content>x</content>"}
    refused = post("Send", values)
    assert told(refused, "messageId") == []
    assert refused.findall(".//e:Result/e:code", NS)[0].text == "BAD_NUMBER"
    fault = post("Send", values | {"ref": "r" * 65})
    assert fault.findall(".//e:ExchangeFault/e:code", NS)[0].text == "BAD_REQUEST"


def test_powerbuilder_reads_answers_by_their_prefix(world: World) -> None:
    envelope = SOURCES["powerbuilder"].document(
        "envelope",
        {"account": "sql", "password": PASSWORD, "operation": "FetchReceipts", "request": ""},
    )
    answer = httpx.post(f"{world.url}/soap", content=envelope.encode())
    assert b"<tns:FetchReceiptsResult>" in answer.content
    assert b"<tns:more>" in answer.content


PLSQL = SOURCES["plsql"].path.read_text(encoding="utf-8")
TSQL = SOURCES["tsql"].path.read_text(encoding="utf-8")


ORACLE_TABLES = re.findall(r"^CREATE TABLE .*?;", PLSQL, re.DOTALL | re.MULTILINE)
UNKNOWN_TO_THE_PARSER = {
    r"WITH XMLNAMESPACES \('[^']*' AS e\)": "",
    r"INSERT INTO @answer \(body\) EXEC": "EXEC",
    r"RETURN HASHBYTES": "SELECT HASHBYTES",
    r"THROW": "SELECT",
}


@pytest.mark.parametrize("statement", ORACLE_TABLES)
def test_the_tables_are_oracles(statement: str) -> None:
    assert isinstance(sqlglot.parse_one(statement, dialect="oracle"), sqlglot.exp.Create)


@pytest.mark.parametrize("batch", re.split(r"^GO$", TSQL, flags=re.MULTILINE)[:-1])
def test_every_batch_is_t_sql(batch: str) -> None:
    """As far as the parser knows it."""
    for pattern, known in UNKNOWN_TO_THE_PARSER.items():
        batch = re.sub(pattern, known, batch)
    parsed = [each for each in sqlglot.parse(batch, dialect="tsql") if each is not None]
    assert isinstance(parsed[0], sqlglot.exp.Create)


def test_the_statements_inside_plsql_are_oracles() -> None:
    found = re.findall(r"^ +(MERGE INTO .*?;|INSERT INTO .*?;)", PLSQL, re.DOTALL | re.MULTILINE)
    assert len(found) == 2
    for statement in found:
        sqlglot.parse_one(statement.rstrip(";"), dialect="oracle")


def test_blocks_are_closed() -> None:
    """A crude look, where no compiler is at hand."""
    code = re.sub(r"--[^\n]*|'(?:[^']|'')*'", "", PLSQL.upper())
    assert len(re.findall(r"\bIF\b", code)) == 2 * len(re.findall(r"\bEND IF\b", code))
    assert len(re.findall(r"\bLOOP\b", code)) == 2 * len(re.findall(r"\bEND LOOP\b", code))
    body = code[code.index("PACKAGE BODY") :]
    opened = len(re.findall(r"\bBEGIN\b", body))
    closed = len(re.findall(r"\bEND\b(?! (?:IF|LOOP))", body))
    assert closed == opened + 1  # the package's own
    tsql = re.sub(r"--[^\n]*|'(?:[^']|'')*'", "", TSQL.upper())
    begun = len(re.findall(r"\bBEGIN\b|\bCASE\b", tsql))
    assert begun == len(re.findall(r"\bEND\b", tsql))


def shell(url: str, *arguments: str, password: str = PASSWORD) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/sh", SEND_SH, url, *arguments],
        env=os.environ | {"SMS_PASSWORD": password, "SMS_FIRST_PAUSE": "0.01"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_raw_soap_by_curl(world: World, front: Front, mobile: str, ref: str) -> None:
    front.moods.extend([Mood.LOSE_ANSWER, Mood.BUSY, Mood.GATEWAY, Mood.BREAK])
    done = shell(front.url, "raw", ref, mobile, ODD)
    assert (done.returncode, done.stdout) == (0, "OK\n"), done.stderr
    assert {each.client_ref for each in front.sent()} == {ref}
    assert len(front.sent()) == 5
    assert world.until_sent(mobile) == [ODD]


def test_raw_soap_that_is_refused_or_unheard(world: World, front: Front, mobile: str) -> None:
    done = shell(front.url, "nobody-raw", "r", mobile, "x", password="wrong")
    assert (done.returncode, done.stdout) == (1, "AUTH_FAILED\n")
    assert len(front.sent()) == 1
    front.moods.extend([Mood.BREAK] * 6)
    done = shell(front.url, "raw", "r", mobile, "x")
    assert (done.returncode, done.stdout) == (2, "no answer\n")

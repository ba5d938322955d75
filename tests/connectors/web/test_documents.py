"""Reading and writing: whatever comes, only UnreadableError; whatever goes out, read back."""

from __future__ import annotations

import json
from urllib.parse import parse_qs

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from connectors.web.documents import UnreadableError, compile_path, first, nodes, read, unwrap
from connectors.web.settings import Digest, Format
from connectors.web.templates import Escape, Template, in_address, in_header, in_json, in_xml
from connectors.web.values import digest

PATHS = {
    Format.JSON: "a.b[0].c",
    Format.XML: "//a/@b",
    Format.FORM: "a",
    Format.QUERY: "a",
    Format.TEXT: r"(\d+)",
}
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=50)


@given(st.binary(max_size=200), st.sampled_from(list(Format)), st.sampled_from(["", "gbk"]))
def test_nothing_but_unreadable(octets: bytes, format_: Format, charset: str) -> None:
    path = compile_path(format_, PATHS[format_])
    try:
        first(path, read(octets, format_, charset))
        unwrap(octets, compile_path(Format.XML, "/a"), charset)
    except UnreadableError as error:
        assert len(str(error)) < 80


@pytest.mark.parametrize(
    ("octets", "format_"),
    [
        (b"[" * 100_000, Format.JSON),
        (b'{"a":' + b"9" * 10_000 + b"}", Format.JSON),
        (b"<a>" * 100_000, Format.XML),
        (b"<!DOCTYPE a SYSTEM 'http://127.0.0.1:9/x'><a/>", Format.XML),
        (b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', Format.XML),
        (b"a=1&" * 20_000, Format.FORM),
        ("a=院".encode("gbk"), Format.FORM),
        (b"\xff\xfe", Format.TEXT),
    ],
)
def test_what_would_hurt_is_unreadable(octets: bytes, format_: Format) -> None:
    with pytest.raises(UnreadableError):
        read(octets, format_)


@pytest.mark.parametrize(
    ("octets", "format_", "path", "expected"),
    [
        (b'{"a":{"b":[{"c":7}]}}', Format.JSON, "a.b[0].c", "7"),
        (b'{"a":1234567890123456789}', Format.JSON, "a", "1234567890123456789"),
        (b'{"a":true}', Format.JSON, "a", "true"),
        (b'{"a":null}', Format.JSON, "a", ""),
        (b'{"a":5.0}', Format.JSON, "a", "5"),
        (b'{"a":" x "}', Format.JSON, "a", "x"),
        (b'<x:r xmlns:x="u"><x:a b="1"> 2 </x:a></x:r>', Format.XML, "//a", "2"),
        (b'<x:r xmlns:x="u"><x:a b="1"> 2 </x:a></x:r>', Format.XML, "a/@b", "1"),
        (b"<r><a/><a/></r>", Format.XML, "count(a)", "2"),
        (b"<r><?pi x?><!-- c --><a>1</a></r>", Format.XML, "/r/a", "1"),
        ("<?xml version='1.0' encoding='GBK'?><r>院</r>".encode("gbk"), Format.XML, "/r", "院"),
        (b"a=%E9%99%A2&b=", Format.FORM, "a", "院"),
        (b"\xef\xbb\xbf-12,ok", Format.TEXT, r"^(-?\d+),", "-12"),
        (b'\xef\xbb\xbf{"a":1}', Format.JSON, "a", "1"),
        (b"\xef\xbb\xbf<r><a>1</a></r>", Format.XML, "a", "1"),
        (b"-12,ok", Format.TEXT, r"^(-?\d+),", "-12"),
        (b"ok", Format.TEXT, "nothing", ""),
    ],
)
def test_a_path_finds(octets: bytes, format_: Format, path: str, expected: str) -> None:
    assert first(compile_path(format_, path), read(octets, format_)) == expected


def test_a_document_within_a_document() -> None:
    inner = '<?xml version="1.0" encoding="GBK"?><r><a>院</a></r>'
    outer = etree.Element("string")
    outer.text = inner
    octets = unwrap(etree.tostring(outer), compile_path(Format.XML, "/string"))
    assert first(compile_path(Format.XML, "//a"), read(octets, Format.XML, "utf-8")) == "院"


@pytest.mark.parametrize("charset", ["UTF-8", "utf-8", "", "utf-16"])
def test_a_byte_order_mark_is_no_text(charset: str) -> None:
    octets = '\ufeff{"a":1}'.encode(charset or "utf-8")
    assert first(compile_path(Format.JSON, "a"), read(octets, Format.JSON, charset)) == "1"


@pytest.mark.parametrize("format_", [Format.JSON, Format.XML])
def test_a_byte_order_mark_within_a_document(format_: Format) -> None:
    outer = etree.Element("string")
    outer.text = "\ufeff" + ('{"a":1}' if format_ is Format.JSON else "<r><a>1</a></r>")
    octets = unwrap(etree.tostring(outer), compile_path(Format.XML, "/string"))
    assert first(compile_path(format_, "a"), read(octets, format_, "utf-8")) == "1"


def test_a_path_that_does_not_suit_the_document() -> None:
    with pytest.raises(UnreadableError):
        nodes(compile_path(Format.JSON, "length(a)"), {"a": 1})


@given(TEXTS)
def test_values_are_escaped_for_their_place(value: str) -> None:
    def fill(text: str, escape: Escape) -> str:
        return Template(text, {"v"}, escape).fill({"v": value})

    assert json.loads(fill('{"v":"${v}"}', in_json))["v"] == value
    root = etree.fromstring(fill("<v w='${v}'>${v}</v>", in_xml).encode())
    if value.isprintable():
        assert (root.text or "") == value
    assert len(root) == 0
    query = fill("v=${v}&w=1", in_address("utf-8"))
    assert parse_qs(query, keep_blank_values=True) == {"v": [value], "w": ["1"]}
    assert not set("\r\n\0") & set(fill("${v}", in_header))


@pytest.mark.parametrize(
    ("of", "text", "expected"),
    [
        (Digest("s", ""), "abc", "900150983cd24fb0d6963f7d28e17f72"),
        (Digest("s", "", encoding="HEX"), "abc", "900150983CD24FB0D6963F7D28E17F72"),
        (Digest("s", "", encoding="base64"), "abc", "kAFQmDzST7DWlj99KOF/cg=="),
        (Digest("s", "", "sha1"), "abc", "a9993e364706816aba3e25717850c26c9cd0d89d"),
        (
            Digest("s", "", "md5", key="Jefe"),
            "what do ya want for nothing?",
            "750c783e6ab0b503eaa86e310a5db738",
        ),
    ],
)
def test_a_digest(of: Digest, text: str, expected: str) -> None:
    """RFC 1321, 2202."""
    assert digest(of, text) == expected

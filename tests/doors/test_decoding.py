"""Octets to a tree: no input leads to anything but a tree or BAD_REQUEST."""

from __future__ import annotations

import encodings

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from adapter.domain.errors import Code, Refusal
from adapter.doors.decoding import MAX_NODES, decode, parse

labels = st.none() | st.sampled_from(
    ["utf-8", "gbk", "gb2312", "utf-16", "iso-8859-1", "ascii", "utf-7", "rot13", "zlib", "x\x00"]
)
texts = st.text(st.characters(exclude_categories=("Cc", "Cs"), exclude_characters="\ufffe\uffff"))


@given(st.binary(), labels)
def test_any_octets(body: bytes, charset: str | None) -> None:
    try:
        parse(decode(body, charset))
    except Refusal as refusal:
        assert refusal.code == Code.BAD_REQUEST


@given(st.sampled_from(["<a>", "</a>", "<!--", "-->", "<?x ?>", "<!DOCTYPE a>", "]]>", "&b;", "t"]))
def test_pieces_of_xml(piece: str) -> None:
    try:
        parse(f"<a>{piece}</a>")
    except Refusal as refusal:
        assert refusal.code == Code.BAD_REQUEST


@given(texts, st.sampled_from(["utf-8", "utf-8-sig", "gb18030", "utf-16"]))
def test_what_is_labelled_rightly_is_read_rightly(text: str, encoding: str) -> None:
    written = etree.Element("a")
    written.text = text
    document = etree.tostring(written, encoding="unicode")
    root = parse(decode(document.encode(encoding), encoding))
    assert (root.text or "") == text.replace("\r\n", "\n").replace("\r", "\n")


@pytest.mark.parametrize(
    "text",
    [
        "<!DOCTYPE a><a/>",
        "\n<!-- <b> --><?x y?>\n<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>",
        "<?xml version='1.0'?><!doctype a><a/>",
    ],
)
def test_no_document_type(text: str) -> None:
    with pytest.raises(Refusal):
        parse(text)


def test_a_document_type_in_a_text_is_a_text() -> None:
    assert parse("<a><![CDATA[<!DOCTYPE b>]]></a>").text == "<!DOCTYPE b>"


@pytest.mark.parametrize("node", ["<b/>", "x=''"])
def test_too_many_nodes(node: str) -> None:
    many = node * (MAX_NODES + 1)
    document = f"<a>{many}</a>" if node == "<b/>" else f"<a {many}/>"
    with pytest.raises(Refusal, match="too many"):
        parse(document)


@pytest.mark.parametrize("label", ["punycode", "idna", "utf-7", "unicode_escape", "rot13", "x"])
def test_a_label_that_no_toolkit_means_is_none(label: str) -> None:
    """Python would take minutes over this as punycode, and would decode the others' escapes."""
    text = "<a>+ADw- \\u003c &#60;-" + "b" * 2_000_000 + "</a>"
    assert decode(text.encode(), label) == text


def test_labels_are_not_remembered() -> None:
    known = len(encodings._cache)
    for number in range(100):
        decode(b"<a/>", f"label-{number}")
    assert len(encodings._cache) == known


@pytest.mark.parametrize("label", ["GBK", "gb2312", "CP936", "x-gbk", "GB18030", "EUC-CN"])
def test_all_labels_of_chinese_texts_are_read_with_the_largest_set(label: str) -> None:
    assert decode("<a>镕𠮷</a>".encode("gb18030"), label) == "<a>镕𠮷</a>"


@pytest.mark.parametrize("text", ["一", "十二月", "二百五", "啊", "您的验证码为4711", "联通", "丂"])
def test_a_label_of_gb_is_believed_unless_it_cannot_be(text: str) -> None:
    """D2 BB is the first of them in GBK, and a Cyrillic letter in UTF-8."""
    for encoding in ("gb18030", "utf-8"):
        assert decode(f"<a>{text}</a>".encode(encoding), "gbk") == f"<a>{text}</a>"


def test_the_place_of_a_mistake() -> None:
    with pytest.raises(Refusal, match="line 3, column"):
        parse("<?xml version='1.0'?>\n<a>\n<b></a>")

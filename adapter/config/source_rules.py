"""What is wrong with a `<source>`, at the line where it stands: columns that contradict each
other, a strategy without what it needs, parameters that nobody fills."""

from __future__ import annotations

import codecs

from lxml import etree
from sqlalchemy import text

from adapter.config.document import NAMESPACE
from adapter.config.notes import Notes, repeated
from dbpoll.parameters import of_statement

NEEDED_COLUMNS = ("ID", "MOBILE", "STATUS")
_FIXED = ("ID", "STATUS")
_OPEN = ("new", "taken", "submitted")
_FINAL = ("delivered", "failed", "refused", "cancelled")
_WORDS = {name: str(place) for place, name in enumerate((*_OPEN, *_FINAL))}


def examine_source(notes: Notes, source: etree._Element) -> None:
    """Note every fault of a source."""
    for rule in (_columns, _words, _encoding, _strategy, _statements, _ways_home):
        rule(notes, source)


def written(notes: Notes, source: etree._Element) -> bool:
    """Whether results go into the row itself."""
    use = notes.get(source, "row", "auto")
    return use == "written" or (use == "auto" and _kind(notes, source) == "status")


def _kind(notes: Notes, source: etree._Element) -> str:
    return notes.get(source, "strategy", "status")


def _children(source: etree._Element, name: str) -> list[etree._Element]:
    return list(source.iterchildren(f"{{{NAMESPACE}}}{name}"))


def _columns(notes: Notes, source: etree._Element) -> None:
    columns = _children(source, "column")
    for column, name in repeated(notes, columns, "name"):
        notes.fault(column, "name", f"the column {name} is mapped twice")
    for column, name in repeated(notes, columns, "is"):
        notes.fault(column, "is", f"two columns are mapped to {name}")
    for attribute in ("name", "as"):
        for table, name in repeated(notes, _children(source, "table"), attribute):
            notes.fault(table, attribute, f"there are two <table> with {attribute} {name!r}")
    for column, name in repeated(notes, _children(source, "parameter"), "name"):
        notes.fault(column, "name", f"the parameter {name} stands here twice")
    for column in columns:
        _column(notes, source, column)


def _column(notes: Notes, source: etree._Element, column: etree._Element) -> None:
    name = notes.get(column, "name")
    is_, value, default = (column.get(each) for each in ("is", "value", "default"))
    if is_ is None and value is None and default is None:
        notes.fault(column, "", "<column> lacks is, value or default")
    if is_ and value is not None:
        notes.fault(column, "value", f"{name} has a column and a constant: take one out")
    if name in _FIXED and (value is not None or default is not None):
        notes.fault(column, "value", f"{name} cannot be a constant or have a default")
    needed = name in NEEDED_COLUMNS and (name != "STATUS" or written(notes, source))
    if needed and is_ == "" and value is None:
        notes.fault(column, "is", f"the column {name} is needed: name it")


def _words(notes: Notes, source: etree._Element) -> None:
    for status in _children(source, "status"):
        word = {name: notes.get(status, name, default) for name, default in _WORDS.items()}
        for name in ("taken", "submitted", *_FINAL):
            if word[name] == word["new"]:
                notes.fault(status, name, f"{name} and new have the same word")
        for name in _FINAL:
            if word[name] in (word["taken"], word["submitted"]):
                told = f"{name} is final and has the same word as taken or submitted"
                notes.fault(status, name, told)


def _encoding(notes: Notes, source: etree._Element) -> None:
    name = notes.get(source, "encoding")
    try:
        if name:
            codecs.lookup(name)
    except LookupError:
        notes.fault(source, "encoding", f"encoding={name!r} is unknown; write one like gbk")


def _strategy(notes: Notes, source: etree._Element) -> None:
    kind = _kind(notes, source)
    if notes.get(source, "move-to") and kind != "remove":
        notes.warn(source, "move-to", "move-to has no effect without strategy='remove'")
    if kind == "remove" and notes.get(source, "row") == "written":
        notes.fault(source, "row", "a row that is removed cannot get results")
    if notes.get(source, "resend") == "allowed":
        if kind != "status":
            notes.warn(source, "resend", "resend has no effect without strategy='status'")
        for column in _children(source, "column"):
            if column.get("name") == "TAKEN_AT" and column.get("is") == "":
                notes.fault(column, "is", "resend needs the column TAKEN_AT")
    if _children(source, "results") and (written(notes, source) or kind == "remove"):
        notes.fault(
            source, "", "<results> goes with row='untouched': results in the row need its database"
        )


def _statements(notes: Notes, source: etree._Element) -> None:
    kind = _kind(notes, source)
    own = {
        name: element
        for name in ("fetch", "claim", "recover", "remove", "result", "receipt", "inbound")
        for element in _children(source, name)
    }
    for name, element in own.items():
        known = of_statement(name)
        for parameter in sorted(text(element.text or "").compile().params):
            if parameter not in known:
                allowed = ", ".join(f":{each}" for each in known) or "none"
                notes.fault(element, "", f"<{name}>: no parameter :{parameter}; allowed: {allowed}")
    if "fetch" in own and kind == "status":
        if "recover" not in own:
            notes.fault(own["fetch"], "", "<fetch> needs <recover>: a crash would lose rows")
        if "result" not in own and written(notes, source):
            notes.fault(own["fetch"], "", "<fetch> needs <result>, or row='untouched'")
    if "fetch" in own and kind == "remove" and "remove" not in own:
        notes.fault(own["fetch"], "", "<fetch> with strategy='remove' needs <remove>")
    for name in ("claim", "recover"):
        if name in own and ("fetch" not in own or kind != "status"):
            notes.fault(own[name], "", f"<{name}> goes with <fetch> and strategy='status' alone")
    if "remove" in own and kind != "remove":
        notes.fault(own["remove"], "", "<remove> goes with strategy='remove' alone")


def _ways_home(notes: Notes, source: etree._Element) -> None:
    receipts = notes.get(source, "receipt-table") or _children(source, "receipt")
    if not written(notes, source) and not receipts and not _children(source, "result"):
        told = "results are written nowhere: give a receipt-table, or let clients query"
        notes.warn(source, "", told)

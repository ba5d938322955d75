"""What the answer to a submit says about each of its texts.

A success that the configured rule finds, and a code that it knows, are believed whatever the
HTTP status is. Else the status decides:

    429, 503                        not taken, slow down (Retry-After)
    3xx, 401, 403, 404, 405, 407    not taken; address or account are at fault, not the text
    408, 409, 423, 425              not taken, later again
    other 4xx                       refused
    2xx                             refused if there is a code, else nobody knows: in doubt
    5xx                             nobody knows: in doubt

A SOAP fault that blames the caller (Client, Sender) is a refusal.
"""

from __future__ import annotations

import email.utils
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from connectors.values import LONGEST_ID, Action, Answer
from connectors.web import documents
from connectors.web.documents import path_of
from connectors.web.settings import Format, Result, Then
from connectors.web.transport import Given

_TROUBLE = frozenset({401, 403, 404, 405, 407})
_THROTTLED = frozenset({429, 503})
_LATER = frozenset({408, 409, 423, 425})
_LONGEST_CODE = 32
_LONGEST_PAUSE_S = 600.0

_ACTIONS = {
    Then.RETRY: Action.RETRY,
    Then.OTHER_CHANNEL: Action.OTHER_CHANNEL,
    Then.PERMANENT: Action.PERMANENT,
    Then.THROTTLE: Action.THROTTLE,
    Then.CLOSE: Action.CLOSE,
    Then.DOUBT: Action.RETRY,
    Then.ACCEPTED: Action.NONE,
}


class Verdict(NamedTuple):
    """What became of one text."""

    then: Then
    code: str
    id: str = ""
    reason: str = ""

    @property
    def answer(self) -> Answer:
        ok = self.then is Then.ACCEPTED
        return Answer(ok, self.id if ok else "", self.code, _ACTIONS[self.then])


class Results:
    """Reads answers. Raises ValueError for a path that is none."""

    def __init__(self, result: Result) -> None:
        self._result = result
        format_ = result.format
        self._opening = documents.Opening(format_, result.charset, result.inside)
        self._each = path_of("each", format_, result.each)
        self._success = path_of("success", format_, result.success)
        self._id = path_of("id", format_, result.id)
        self._code = path_of("code", format_, result.code)
        self._mobile = path_of("mobile", format_, result.mobile)
        if result.success and not result.success_is:
            raise ValueError("success-is: success needs the values that mean success")

    def read(self, given: Given, mobiles: Sequence[str]) -> list[Verdict]:
        """A verdict for each of the recipients."""
        try:
            return self._told(given, mobiles)
        except documents.UnreadableError as e:
            verdict = _by_status(given) or Verdict(Then.DOUBT, "", reason=str(e))
            return [verdict] * len(mobiles)

    def _told(self, given: Given, mobiles: Sequence[str]) -> list[Verdict]:
        document = self._opening.document(given.body)
        entries = documents.nodes(self._each, document)
        if not entries:
            return [self._verdict(given, document, document)] * len(mobiles)
        told = [self._verdict(given, entry, document) for entry in entries]
        unknown = Verdict(Then.DOUBT, "", reason="the answer does not tell of every recipient")
        if not self._result.mobile:
            return [*told, *[unknown] * len(mobiles)][: len(mobiles)]
        names = [documents.first(self._mobile, entry)[-11:] for entry in entries]
        by_mobile = dict(zip(names, told, strict=True))
        return [by_mobile.get(mobile[-11:], unknown) for mobile in mobiles]

    def _verdict(self, given: Given, node: Any, document: Any) -> Verdict:
        result = self._result
        id_ = documents.first(self._id, node)[:LONGEST_ID]
        said = _said(self._success, node, document)
        code = _said(self._code, node, document) or said
        then = result.actions.get(code)
        if then is not None:
            return Verdict(then, code, id_)
        by_status = _by_status(given)
        if said in result.success_is if result.success else by_status is None and id_:
            return Verdict(Then.ACCEPTED, code, id_)
        if not result.success and not result.id and by_status is None and not code:
            return Verdict(Then.ACCEPTED, code, id_)
        if by_status is not None and by_status.then is not Then.PERMANENT:
            return by_status
        if code:
            return Verdict(result.otherwise, code)
        reason = "the answer tells neither success nor a code"
        return by_status or Verdict(Then.DOUBT, "", reason=reason)


class SoapResults:
    """Reads answers of operations: a fault first, then as `Results`."""

    def __init__(self, result: Result) -> None:
        self._actions = result.actions
        self._results = Results(result)

    def read(self, given: Given, mobiles: Sequence[str]) -> list[Verdict]:
        """A verdict for each of the recipients."""
        fault = _soap_fault(given, self._actions)
        return self._results.read(given, mobiles) if fault is None else [fault] * len(mobiles)


def _said(path: documents.Select, node: Any, document: Any) -> str:
    """Of the entry, or of the document around it."""
    return (documents.first(path, node) or documents.first(path, document))[:_LONGEST_CODE]


def _by_status(given: Given) -> Verdict | None:
    status, code = given.status, f"HTTP {given.status}"
    if 300 <= status < 400 or status in _TROUBLE:
        return Verdict(Then.CLOSE, code)
    if status in _THROTTLED:
        return Verdict(Then.THROTTLE, code)
    if status in _LATER:
        return Verdict(Then.RETRY, code)
    if 400 <= status < 500:
        return Verdict(Then.PERMANENT, code)
    return None if 200 <= status < 300 else Verdict(Then.DOUBT, code)


_FAULT = documents.compile_path(Format.XML, "//Fault")
_FAULT_CODE = documents.compile_path(Format.XML, "faultcode | Code/Value")


def _soap_fault(given: Given, actions: Mapping[str, Then]) -> Verdict | None:
    """The verdict of a SOAP fault; None where there is none."""
    if given.status < 400:
        return None
    try:
        found = documents.nodes(_FAULT, documents.read(given.body, Format.XML))
    except documents.UnreadableError:
        return None
    if not found:
        return None
    code = documents.first(_FAULT_CODE, found[0]).rpartition(":")[2][:_LONGEST_CODE]
    then = actions.get(code)
    if then is None:
        blames_us = code.split(".")[0] in ("Client", "Sender")
        then = Then.PERMANENT if blames_us else Then.DOUBT
    return Verdict(then, code)


def retry_after_s(given: Given) -> float | None:
    """What the provider asks us to wait, at most ten minutes; None where it does not say."""
    text = given.headers.get("retry-after", "").strip()
    if not text:
        return None
    if text.isascii() and text.isdigit() and len(text) < 10:
        return min(float(text), _LONGEST_PAUSE_S)
    try:
        wait_s = email.utils.parsedate_to_datetime(text).timestamp() - time.time()
    except ValueError:
        return None
    return min(max(wait_s, 0.0), _LONGEST_PAUSE_S)

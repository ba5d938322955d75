"""From what the client wrote to the text that goes out: template, checks, signature, segments.

The text is final here: what is counted and stored is what the dispatcher cuts and sends.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from adapter.config import model
from adapter.domain.errors import Code, Refusal
from adapter.domain.values import Entry, Request
from connectors.splitting import MAX_SEGMENTS, Manner

_FIELD = re.compile(r"\$\{([^{}]*)\}")
# Control characters but line breaks and tab, halves of surrogate pairs, and what a wrong
# character set leaves behind (U+FFFD, non-characters).
_UNSENDABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffd-\uffff]")
_SHOWN = 32

Manners = tuple[Manner, ...]
"""How each channel that may send a text takes it."""


class Template:
    """A text with fields `${name}`. A value is inserted as it is, never filled in again."""

    def __init__(self, template: model.Template) -> None:
        self._parts = _FIELD.split(template.text)
        self.fields = frozenset(self._parts[1::2])

    def render(self, values: Mapping[str, str]) -> str:
        """The text filled in. Refusal(BAD_CONTENT) for a value missing or not asked for."""
        if values.keys() != self.fields:
            raise _bad(self._mismatch(values))
        parts = self._parts.copy()
        parts[1::2] = [values[name] for name in parts[1::2]]
        return "".join(parts)

    def _mismatch(self, values: Mapping[str, str]) -> str:
        missing = sorted(self.fields - values.keys())
        if missing:
            return f"the template needs a value {missing[0][:_SHOWN]!r}"
        unknown = min(values.keys() - self.fields)
        return f"the template has no field {unknown[:_SHOWN]!r}"


def templates(configured: Iterable[model.Template]) -> dict[str, Template]:
    """Templates by name."""
    return {each.name: Template(each) for each in configured}


class Texts:
    """Finishes and measures the contents of one client, each only once.

    Lives for one call of intake: what it remembers is bounded by the call. Not to be
    shared between threads.
    """

    def __init__(self, signature: str, max_segments: int) -> None:
        self._signature = f"【{signature}】" if signature else ""
        self._max_segments = min(max_segments, MAX_SEGMENTS)
        self._finished: dict[str, str] = {}
        self._segments: dict[tuple[str, Manners], int] = {}

    def finish(self, content: str) -> str:
        """The text as it goes out. Refusal(BAD_CONTENT) where it is blank or unsendable."""
        text = self._finished.get(content)
        if text is None:
            text = self._finished[content] = self._finish(content)
        return text

    def segments(self, text: str, manners: Manners) -> int:
        """How many segments a finished text takes on the channel that needs most for it: any of
        them may send it. Refusal(TOO_LONG) beyond the client's limit."""
        key = (text, manners)
        segments = self._segments.get(key)
        if segments is None:
            segments = max(each.measure(text).segments for each in manners)
            self._segments[key] = segments
        if segments > self._max_segments:
            raise Refusal(
                Code.TOO_LONG,
                f"the content takes {segments} segments, {self._max_segments} are allowed",
                "content",
            )
        return segments

    def _finish(self, content: str) -> str:
        found = _UNSENDABLE.search(content)
        if found:
            raise _bad(
                f"character U+{ord(found[0]):04X} at position {found.start() + 1} cannot be sent"
            )
        body = content.removeprefix(self._signature)
        if not body.strip():
            raise _bad("the content is empty")
        return self._signature + body


class Wording:
    """Which text each recipient of a request gets. `common` is the text of those without an own.
    `open_end`: more entries will come than the request has, perhaps with values of their own.

    Raises Refusal where the request's own content is at fault: BAD_REQUEST, BAD_CONTENT or
    TEMPLATE_UNKNOWN.
    """

    def __init__(
        self,
        request: Request,
        configured: Mapping[str, Template],
        texts: Texts,
        *,
        open_end: bool = False,
    ) -> None:
        self._texts = texts
        self._template = _template(request, configured)
        self._values = request.values or {}
        self.common: str | None = None
        if request.content is not None:
            self.common = texts.finish(request.content)
        elif (
            self._template
            and not open_end
            and all(entry.content is None and entry.values is None for entry in request.entries)
        ):
            self.common = texts.finish(self._template.render(self._values))

    def text_for(self, entry: Entry) -> str:
        """The finished text of a recipient. Refusal(BAD_REQUEST | BAD_CONTENT)."""
        if entry.content is not None:
            return self._texts.finish(entry.content)
        if entry.values and self._template is None:
            raise Refusal(Code.BAD_REQUEST, "values without a template", "values")
        if self.common is not None:
            return self.common
        if self._template is None:
            raise _bad("there is no content")
        return self._texts.finish(self._template.render({**self._values, **(entry.values or {})}))


def _template(request: Request, configured: Mapping[str, Template]) -> Template | None:
    if not request.template:
        if request.values:
            raise Refusal(Code.BAD_REQUEST, "values without a template", "values")
        return None
    if request.content is not None:
        raise Refusal(Code.BAD_REQUEST, "content and template exclude each other", "template")
    template = configured.get(request.template)
    if template is None:
        raise Refusal(
            Code.TEMPLATE_UNKNOWN, f"no template {request.template[:_SHOWN]!r}", "template"
        )
    return template


def _bad(description: str) -> Refusal:
    return Refusal(Code.BAD_CONTENT, description, "content")

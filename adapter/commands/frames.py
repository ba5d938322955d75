"""`sms-adapter status --frames`: what passed last on the channels, masked by the node."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, tzinfo
from typing import Any
from urllib.parse import quote

from rich.console import Console, Group
from rich.text import Text

from adapter.commands.status import UnreachableError, fetch
from adapter.config.model import Web

Document = Mapping[str, Any]
_SIGNS = {"sent": ("-->", "cyan"), "received": ("<--", "green"), "cut": ("<-!", "red")}


def show(web: Web, channel: str, zone: tzinfo, console: Console, *, as_json: bool = False) -> int:
    """Print the trace of one channel, or of all where the name is empty; the exit status: 1
    when no node answers or it has no such channel."""
    try:
        found = fetch(web, f"/status?frames={quote(channel)}")["channels"]
    except (UnreachableError, KeyError) as error:
        return _failed(console, str(error), as_json)
    if not found:
        return _failed(console, f"there is no channel {channel!r}", as_json)
    if as_json:
        console.print_json(data={"channels": found})
    else:
        console.print(page(found, zone), soft_wrap=True)
    return 0


def page(channels: Sequence[Document], zone: tzinfo) -> Group:
    """The traces as a page for people: one line a frame, its fields after it."""
    lines: list[Text] = []
    for channel in channels:
        lines.append(Text(f"{channel['name']}  {channel['protocol']}", "bold"))
        lines += [_line(entry, zone) for entry in channel["frames"]]
        if not channel["keeps"]:
            lines.append(Text('  nothing is kept: write trace="200" on its <channel>', "dim"))
        elif not channel["frames"]:
            lines.append(Text("  nothing has passed yet", "dim"))
    return Group(*lines)


def _failed(console: Console, reason: str, as_json: bool) -> int:
    if as_json:
        console.print_json(data={"error": reason})
    else:
        console.print(Text(reason))
    return 1


def _line(entry: Document, zone: tzinfo) -> Text:
    at = datetime.fromisoformat(entry["at"]).astimezone(zone)
    sign, colour = _SIGNS.get(entry["way"], ("---", "dim"))
    text = Text(f"{at:%m-%d %H:%M:%S}.{at.microsecond // 1000:03}  {entry['link']:12} ")
    text.append(f"{sign} ", colour)
    if entry["way"] not in ("sent", "received"):
        text.append(f"{entry['way']} ")
    text.append(f"{entry['name']} ", "bold")
    if entry["octets"]:
        text.append(f"{entry['octets']} octets ", "dim")
    text.append(" ".join(f"{name}={_brief(value)}" for name, value in entry["fields"].items()))
    if entry["fault"]:
        text.append(f"cannot be read: {entry['fault']}", "red")
    return text


def _brief(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + " ".join(f"{name}={_brief(each)}" for name, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + " ".join(map(_brief, value)) + "]"
    return str(value)

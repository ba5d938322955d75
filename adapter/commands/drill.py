"""`sms-adapter drill`: the words of the command, and what it prints."""

from __future__ import annotations

import json
from typing import Any

import click

from adapter.bench.rig import Line
from adapter.domain.states import DoubtRule
from adapter.drill.run import Wanted, drill


def show(*, as_json: bool, rule: str, links: int, window: int, **wanted: Any) -> bool:
    """Run a drill and print what it came to; whether every promise held."""
    found = drill(Wanted(rule=DoubtRule(rule), line=Line(links, window), **wanted))
    if as_json:
        click.echo(json.dumps(found))
    else:
        for name, value in found.items():
            if name != "broken":
                click.echo(f"{name:14} {value}")
        for fault in found["broken"]:
            click.echo(f"BROKEN: {fault}")
    return not found["broken"]

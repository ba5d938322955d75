"""`sms-adapter simulate`: the words of the command as options of the simulator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from connectors.behaviour import (
    Behaviour,
    SimulatorOptions,
    parse_delay,
    parse_drop,
    parse_fail,
    parse_inbound,
)


def options_from(
    *,
    protocol: str,
    host: str,
    port: int,
    account: str,
    password: str,
    delay: str | None,
    no_receipt: bool,
    fail: Sequence[str],
    throttle: float,
    drop_link: str | None,
    inbound: str | None,
    window: int,
    log: Path | None,
) -> SimulatorOptions:
    """Raises ValueError, naming the word that cannot be read."""
    behaviour = Behaviour(
        receipts=not no_receipt,
        failures=tuple(map(parse_fail, fail)),
        throttle_per_s=throttle,
    )
    if delay:
        answer, receipt = parse_delay(delay)
        behaviour = replace(behaviour, answer_delay=answer, receipt_delay=receipt)
    if drop_link:
        after, every_s = parse_drop(drop_link)
        behaviour = replace(behaviour, drop_after=after, drop_every_s=every_s)
    if inbound:
        share, every_s = parse_inbound(inbound)
        behaviour = replace(behaviour, inbound_share=share, inbound_every_s=every_s)
    return SimulatorOptions(protocol, host, port, account, password, behaviour, log, window)

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
from connectors.sgip.settings import GatewaySettings


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
    deliver_to: str | None,
    deliver_account: str | None,
    deliver_password: str | None,
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
    options = SimulatorOptions(protocol, host, port, account, password, behaviour, log, window)
    if protocol != "sgip":
        if deliver_to:
            raise ValueError(f"--deliver-to: a {protocol} carrier does not connect to its client")
        return options
    own = GatewaySettings(
        account=account if deliver_account is None else deliver_account,
        password=password if deliver_password is None else deliver_password,
        receives=not deliver_to,
    )
    client_host, client_port = _address(deliver_to) if deliver_to else ("127.0.0.1", 0)
    return replace(options, own=own, client_host=client_host, client_port=client_port)


def _address(word: str) -> tuple[str, int]:
    host, _, port = word.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 1 << 16:
        raise ValueError(f"{word}: expected HOST:PORT such as 127.0.0.1:8801")
    return host.strip("[]"), int(port)

"""`sms-adapter simulate`: the words of the command as options of the simulator."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from connectors.behaviour import SimulatorOptions, read_behaviour
from connectors.scenario import load
from connectors.sgip.settings import GatewaySettings


def options_from(
    *,
    protocol: str,
    host: str,
    port: int,
    account: str,
    password: str,
    window: int,
    deliver_to: str | None,
    deliver_account: str | None,
    deliver_password: str | None,
    script: Path | None,
    log: Path | None,
    **mood: Any,
) -> SimulatorOptions:
    """`mood`: the options of connectors/behaviour.py, absent or empty where they were not given.

    Raises ValueError, naming the word that cannot be read, and OSError for the script.
    """
    words = {name.replace("_", "-"): value or None for name, value in mood.items()}
    options = SimulatorOptions(
        protocol,
        host,
        port,
        account,
        password,
        read_behaviour(words),
        log,
        window,
        scenario=load(script) if script else None,
    )
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

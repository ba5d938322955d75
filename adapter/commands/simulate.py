"""`sms-adapter simulate`: the words of the command as options of the simulator."""

from __future__ import annotations

import ssl
from dataclasses import replace
from pathlib import Path
from typing import Any

from connectors.behaviour import SimulatorOptions, read_behaviour
from connectors.scenario import load
from connectors.sgip.settings import GatewaySettings
from connectors.tls import client_context, fault, server_context


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
    deliver_tls: bool,
    deliver_ca: Path | None,
    tls_certificate: Path | None,
    tls_key: Path | None,
    tls_ca: Path | None,
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
        tls=_door(tls_certificate, tls_key, tls_ca),
    )
    if protocol != "sgip" and deliver_to:
        raise ValueError(f"--deliver-to: a {protocol} carrier does not connect to its client")
    if (deliver_tls or deliver_ca) and not deliver_to:
        raise ValueError("--deliver-tls: say --deliver-to HOST:PORT, too")
    if deliver_ca and not deliver_tls:
        raise ValueError("--deliver-ca: say --deliver-tls, too")
    if protocol != "sgip":
        return options
    own = GatewaySettings(
        account=account if deliver_account is None else deliver_account,
        password=password if deliver_password is None else deliver_password,
        receives=not deliver_to,
    )
    client_host, client_port = _address(deliver_to) if deliver_to else ("127.0.0.1", 0)
    call_tls = _call(tls_certificate, tls_key, deliver_ca) if deliver_tls else None
    return replace(
        options, own=own, client_host=client_host, client_port=client_port, call_tls=call_tls
    )


def _door(certificate: Path | None, key: Path | None, ca: Path | None) -> ssl.SSLContext | None:
    """For connections that come in; None without a certificate."""
    if certificate is None:
        if key or ca:
            raise ValueError("--tls-key, --tls-ca: say --tls-certificate, too")
        return None
    try:
        return server_context(str(certificate), _name(key), _name(ca))
    except OSError as error:
        raise ValueError(f"--tls-certificate, --tls-key, --tls-ca: {fault(error)}") from error


def _call(certificate: Path | None, key: Path | None, ca: Path | None) -> ssl.SSLContext:
    """For connections to the client, with our own certificate where there is one."""
    try:
        return client_context(_name(ca), _name(certificate), _name(key))
    except OSError as error:
        raise ValueError(f"--deliver-ca: {fault(error)}") from error


def _name(path: Path | None) -> str:
    return "" if path is None else str(path)


def _address(word: str) -> tuple[str, int]:
    host, _, port = word.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 1 << 16:
        raise ValueError(f"{word}: expected HOST:PORT such as 127.0.0.1:8801")
    return host.strip("[]"), int(port)

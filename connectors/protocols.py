"""The protocols that this library speaks, by name: client, server and listener."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from connectors.cmpp.client import CmppClient
from connectors.cmpp.server import CMPP_SERVER
from connectors.dialect import DialectFactory
from connectors.listener_dialect import ListenerDialectFactory
from connectors.server_dialect import ServerProtocol
from connectors.sgip.client import SgipClient
from connectors.sgip.listener import SgipListener
from connectors.sgip.server import SGIP_SERVER
from connectors.smgp.client import SmgpClient
from connectors.smgp.server import SMGP_SERVER
from connectors.smpp.client import SmppClient
from connectors.smpp.server import SMPP_SERVER

CLIENTS: Mapping[str, DialectFactory] = MappingProxyType(
    {
        "cmpp": CmppClient,
        "sgip": SgipClient,
        "smgp": SmgpClient,
        "smpp": SmppClient,
    }
)
SERVERS: Mapping[str, ServerProtocol] = MappingProxyType(
    {
        "cmpp": CMPP_SERVER,
        "sgip": SGIP_SERVER,
        "smgp": SMGP_SERVER,
        "smpp": SMPP_SERVER,
    }
)
LISTENERS: Mapping[str, ListenerDialectFactory] = MappingProxyType({"sgip": SgipListener})
"""Where the carrier opens a connection of its own to deliver."""

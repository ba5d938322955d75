"""The protocols that this library speaks, by name: the client's side and the server's."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from connectors.cmpp.client import CmppClient
from connectors.cmpp.server import CMPP_SERVER
from connectors.dialect import DialectFactory
from connectors.server_dialect import ServerProtocol
from connectors.smgp.client import SmgpClient
from connectors.smgp.server import SMGP_SERVER
from connectors.smpp.client import SmppClient
from connectors.smpp.server import SMPP_SERVER

CLIENTS: Mapping[str, DialectFactory] = MappingProxyType(
    {
        "cmpp": CmppClient,
        "smgp": SmgpClient,
        "smpp": SmppClient,
    }
)
SERVERS: Mapping[str, ServerProtocol] = MappingProxyType(
    {
        "cmpp": CMPP_SERVER,
        "smgp": SMGP_SERVER,
        "smpp": SMPP_SERVER,
    }
)

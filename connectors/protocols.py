"""The protocols a link can speak, by name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from connectors.cmpp.client import CmppClient
from connectors.dialect import DialectFactory

CLIENTS: Mapping[str, DialectFactory] = MappingProxyType({"cmpp": CmppClient})

"""What SMGP alone wants to know of an account: `LinkSettings.own` of its links."""

from __future__ import annotations

from dataclasses import dataclass

SEND, RECEIVE, BOTH = range(3)
"""LoginMode: what a connection is for. A gateway delivers on modes 1 and 2 only."""


@dataclass(frozen=True, slots=True)
class SmgpSettings:
    """`msg_src` is the enterprise code (SPID) and `product` the MServiceID, which the mobile
    network asks for. `version_byte` replaces the ClientVersion that the version implies, for
    gateways that want 0x31. `follow_server`: take the layouts of a lower ServerVersion.
    """

    login_mode: int = BOTH
    msg_src: str = ""
    product: str = ""
    priority: int = 1
    fee_type: str = "00"
    fee_code: str = "000000"
    fixed_fee: str = "000000"
    version_byte: int = 0
    follow_server: bool = False

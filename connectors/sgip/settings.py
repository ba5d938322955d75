"""What SGIP alone wants to know: `own` of a link's, a listener's and a server's settings."""

from __future__ import annotations

from dataclasses import dataclass, field

from connectors.sgip.pdus import SP_PAYS

NO_AREA = 3_000_000_000
"""Node ids of SPs are 3, the area code (often 0000) and the enterprise code of five digits."""


@dataclass(frozen=True, slots=True)
class SgipSettings:
    """`corp` is the enterprise code; `node` our node id, without one that of `corp` in area
    0000. `charge_number`: who pays, 21 zeros for ourselves. `country` goes before a mainland
    mobile number, which the protocol wants.
    """

    corp: str = ""
    node: int = 0
    charge_number: str = SP_PAYS.decode("ascii")
    fee_type: int = 1
    fee_value: str = "0"
    given_value: str = "0"
    priority: int = 0
    country: str = "86"

    def __post_init__(self) -> None:
        if self.corp and not (self.corp.isascii() and self.corp.isdigit() and len(self.corp) <= 5):
            raise ValueError("corp: an enterprise code has up to 5 digits")

    @property
    def node_id(self) -> int:
        """Ours, in every sequence number."""
        return self.node or (NO_AREA + int(self.corp) if self.corp else 0)


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """A gateway's side: its node id, and what it logs in with at the SP's listener.

    `receives`: deliver on connections that the SP opened, too, as some aggregators do.
    """

    node: int = 106901
    account: str = ""
    password: str = field(default="", repr=False)
    receives: bool = False

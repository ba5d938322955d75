"""Where the published contract lies: at the top of a checkout, inside an installed package."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def published(name: str) -> Path:
    """The path of `xsd/config.xsd`, `wsdl/...`. Raises FileNotFoundError when it is nowhere."""
    for root in (_PACKAGE, _PACKAGE.parent):
        if (path := root / name).exists():
            return path
    raise FileNotFoundError(f"{name} is neither in {_PACKAGE} nor beside it")

"""Files of the installation and of the process: where the published contract lies, at the top of a
checkout or inside an installed package, and how many may be open."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
# A thousand connections at each of three doors, links, databases: systemd's and most shells'
# 1,024 would be used up by clients, and the store could open no connection any more.
_OPEN = 65_536


def allow_many_open() -> int:
    """Let the process open as many files and sockets as the system allows; how many these are, 0
    where it has no such limit (Windows)."""
    try:
        import resource
    except ImportError:
        return 0
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN if hard == resource.RLIM_INFINITY else min(hard, _OPEN)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return soft
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return wanted


def published(name: str) -> Path:
    """The path of `xsd/config.xsd`, `wsdl/...`. Raises FileNotFoundError when it is nowhere."""
    for root in (_PACKAGE, _PACKAGE.parent):
        if (path := root / name).exists():
            return path
    raise FileNotFoundError(f"{name} is neither in {_PACKAGE} nor beside it")

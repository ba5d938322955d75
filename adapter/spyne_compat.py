"""The one place that imports Spyne, and what it takes to import it.

Spyne 2.14 (the version the buyer named) carries an old copy of `six`, whose importer of
`six.moves` Python 3.12 no longer understands, and uses `cgi`, which Python 3.13 no longer has.
The first is cured here, by giving its modules their standard places beforehand; the second
by the package `legacy-cgi`. Spyne also logs every request it cannot read, with password, number and
text, and a traceback for every refusal: its loggers are silenced here, for ever.

Stands beside `adapter.contract`, which needs it, and beneath the doors.
"""

from __future__ import annotations

import collections.abc
import http.cookies
import logging
import sys
import urllib.error
import urllib.parse
import urllib.request
import warnings
from types import ModuleType

import six

_MOVES = "spyne.util.six.moves"
_MOVED: dict[str, ModuleType] = {
    _MOVES: six.moves,
    f"{_MOVES}.collections_abc": collections.abc,
    f"{_MOVES}.http_cookies": http.cookies,
    f"{_MOVES}.urllib": urllib,
    f"{_MOVES}.urllib.error": urllib.error,
    f"{_MOVES}.urllib.parse": urllib.parse,
    f"{_MOVES}.urllib.request": urllib.request,
}

if "spyne" not in sys.modules:
    sys.modules.update(_MOVED)
with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    import cgi  # noqa: F401  Spyne imports it next; here its notice of removal is of no use

from spyne import (  # noqa: E402
    Application,
    Array,
    Boolean,
    ComplexModel,
    DateTime,
    Fault,
    Integer32,
    MethodContext,
    Service,
    Unicode,
    rpc,
)
from spyne.const.xml import NS_SOAP11_ENV, NS_SOAP12_ENV  # noqa: E402
from spyne.model.complex import ComplexModelBase  # noqa: E402
from spyne.protocol.soap import Soap11, Soap12  # noqa: E402
from spyne.server import ServerBase  # noqa: E402

for _name in ("spyne", "spyne.protocol.soap.soap11", "spyne.protocol.xml"):
    _logger = logging.getLogger(_name)
    _logger.setLevel(logging.CRITICAL + 1)
    _logger.propagate = False
    _logger.addHandler(logging.NullHandler())
for _name in ("spyne.protocol.soap.soap11.invalid", "spyne.protocol.xml.invalid"):
    logging.getLogger(_name).disabled = True

__all__ = [
    "NS_SOAP11_ENV",
    "NS_SOAP12_ENV",
    "Application",
    "Array",
    "Boolean",
    "ComplexModel",
    "ComplexModelBase",
    "DateTime",
    "Fault",
    "Integer32",
    "MethodContext",
    "ServerBase",
    "Service",
    "Soap11",
    "Soap12",
    "Unicode",
    "rpc",
]

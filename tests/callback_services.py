"""Services of clients that events are brought to, made with Spyne over real sockets.

PublishedService    wsdl/callback.wsdl, as an integrator implements it
HospitalService     a service that the hospital has anyway: docs/integrator/callbacks.md
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from wsgiref.simple_server import make_server

import requests

from adapter import spyne_compat  # noqa: F401 - it lets Spyne be imported
from adapter.contract import NS, SmsCallback
from tests.soap_provider import Handler, Server

# isort: split
from spyne import Application, ServiceBase, Unicode, rpc
from spyne.protocol.soap import Soap11
from spyne.server.wsgi import WsgiApplication

HOSPITAL_NS = "urn:hospital:sms"


class _Served(ABC):
    """A Spyne service on a port of its own. A context."""

    def __init__(self, services: list[Any], tns: str, name: str) -> None:
        self.lock = threading.Lock()
        application = Application(
            services, tns, name=name, in_protocol=Soap11(validator="lxml"), out_protocol=Soap11()
        )
        wsgi = WsgiApplication(application)
        wsgi.event_manager.add_listener("wsgi_call", self._called)
        self._server = make_server("127.0.0.1", 0, wsgi, Server, Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    def write_wsdl(self, path: Path) -> None:
        """As it is handed out."""
        path.write_bytes(requests.get(f"{self.url}?wsdl", timeout=20).content)

    def _called(self, ctx: Any) -> None:
        ctx.udc = self.answer

    @abstractmethod
    def answer(self, *arguments: Any) -> Any:
        """What the service says to a call."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class PublishedService(_Served):
    """Keeps what it is told; `answers` are given first: a code, or an exception to raise."""

    def __init__(self) -> None:
        self.receipts: list[Any] = []
        self.inbound: list[Any] = []
        self.answers: list[str | Exception] = []
        super().__init__([SmsCallback], NS, "SmsCallback")

    def answer(self, operation: str, request: Any) -> Any:
        assert operation == "Notify"
        with self.lock:
            told = self.answers.pop(0) if self.answers else "OK"
            if isinstance(told, Exception):
                raise told
            if told == "OK":
                self.receipts += request.receipts or []
                self.inbound += request.inbound or []
        return {"code": told, "description": "told"}


class HospitalService(_Served):
    """`SmsStatus` and `SmsReply`, which answer 0 when they took it."""

    def __init__(self) -> None:
        self.statuses: list[tuple[str, str, str]] = []
        self.replies: list[tuple[str, str]] = []
        self.codes: list[str] = []
        super().__init__([_hospital()], HOSPITAL_NS, "Hospital")

    def answer(self, operation: str, *arguments: str) -> str:
        with self.lock:
            code = self.codes.pop(0) if self.codes else "0"
            if code == "0":
                kept: list[Any] = self.statuses if operation == "SmsStatus" else self.replies
                kept.append(arguments)
        return code


def _hospital() -> Any:
    class Hospital(ServiceBase):  # type: ignore[misc]
        # Spyne makes operations of them, without a self.
        @rpc(Unicode, Unicode, Unicode, _returns=Unicode)  # type: ignore[untyped-decorator]
        def SmsStatus(ctx: Any, bizNo: str, state: str, eventId: str) -> str:  # noqa: N803, N805
            code: str = ctx.udc("SmsStatus", bizNo, state, eventId)
            return code

        @rpc(Unicode, Unicode, _returns=Unicode)  # type: ignore[untyped-decorator]
        def SmsReply(ctx: Any, mobile: str, text: str) -> str:  # noqa: N805
            code: str = ctx.udc("SmsReply", mobile, text)
            return code

    return Hospital

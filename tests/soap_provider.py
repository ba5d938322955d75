"""A provider of a SOAP service, made with Spyne: the one of docs/operator/web-channels.md."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from pathlib import Path
from socketserver import ThreadingMixIn
from types import TracebackType
from typing import Any, Self
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import requests

from adapter import spyne_compat  # noqa: F401 - it lets Spyne be imported

# isort: split
from spyne import Application, Array, ComplexModel, ServiceBase, Unicode, rpc
from spyne.protocol.soap import Soap11
from spyne.server.wsgi import WsgiApplication

NS = "urn:provider:sms"


class Message(ComplexModel):  # type: ignore[misc]
    __namespace__ = NS
    mobile = Unicode
    content = Unicode
    extend = Unicode


class Sent(ComplexModel):  # type: ignore[misc]
    __namespace__ = NS
    code = Unicode
    taskId = Unicode  # noqa: N815 - as it is published


class Report(ComplexModel):  # type: ignore[misc]
    __namespace__ = NS
    taskId = Unicode  # noqa: N815 - as it is published
    mobile = Unicode
    status = Unicode


class Handler(WSGIRequestHandler):
    def log_message(self, *_args: Any) -> None:
        return


class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class SoapProvider:
    """Takes texts, and reports each as DELIVRD until that is acknowledged. A context."""

    def __init__(self, password: str) -> None:
        self.password = password
        self.taken: list[tuple[str, str, str | None]] = []
        """Number, content, extension."""
        self.codes: list[str] = []
        """Codes to answer with first."""
        self._reports: dict[str, Report] = {}
        self._lock = threading.Lock()
        application = Application(
            [self._service()],
            tns=NS,
            name="SmsProvider",
            in_protocol=Soap11(validator="lxml"),
            out_protocol=Soap11(),
        )
        wsgi = WsgiApplication(application)
        self._server = make_server("127.0.0.1", 0, wsgi, Server, Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    def write_wsdl(self, path: Path) -> None:
        """As the provider hands it out."""
        path.write_bytes(requests.get(f"{self.url}?wsdl", timeout=20).content)

    @property
    def unacknowledged(self) -> int:
        with self._lock:
            return len(self._reports)

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

    def _send(self, password: str, message: Message) -> Sent:
        with self._lock:
            if password != self.password:
                return Sent(code="-1")
            if self.codes:
                return Sent(code=self.codes.pop(0))
            self.taken.append((message.mobile, message.content, message.extend))
            task = f"S-{len(self.taken)}"
            self._reports[task] = Report(taskId=task, mobile=message.mobile, status="DELIVRD")
            return Sent(code="0", taskId=task)

    def _acknowledge(self, ids: str) -> str:
        with self._lock:
            for each in ids.split(","):
                self._reports.pop(each, None)
        return "0"

    def _waiting(self) -> list[Report]:
        with self._lock:
            return list(self._reports.values())

    def _service(self) -> Any:
        provider = self

        class Service(ServiceBase):  # type: ignore[misc]
            # Spyne makes operations of them, without a self.
            @rpc(Unicode, Unicode, Message, _returns=Sent)  # type: ignore[untyped-decorator]
            def SendSms(_ctx: Any, account: str, password: str, message: Message) -> Sent:  # noqa: N805
                return provider._send(password, message)

            @rpc(Unicode, Unicode, _returns=Array(Report))  # type: ignore[untyped-decorator]
            def GetReports(_ctx: Any, account: str, password: str) -> Iterable[Report]:  # noqa: N805
                return provider._waiting()

            @rpc(Unicode, Unicode, Unicode, _returns=Unicode)  # type: ignore[untyped-decorator]
            def Acknowledge(_ctx: Any, account: str, password: str, ids: str) -> str:  # noqa: N805
                return provider._acknowledge(ids)

        return Service

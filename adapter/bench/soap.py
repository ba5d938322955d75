"""Load by the SOAP service: batches from several callers, done when each receipt was fetched."""

from __future__ import annotations

import http.client
import re
import threading
import time
from collections.abc import Iterator
from xml.sax.saxutils import escape

from adapter.bench.load import CONTENT, Pace, mobile
from adapter.bench.rig import ACCOUNT, PASSWORD

_ENVELOPE = """\
<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" \
xmlns="urn:his-sms:exchange:1"><soapenv:Header><Credentials><account>{account}</account>\
<password>{password}</password></Credentials></soapenv:Header>\
<soapenv:Body>{body}</soapenv:Body></soapenv:Envelope>"""
_ACCEPTED = re.compile(rb"<[^>]*\baccepted>(\d+)<")
_RECEIPT = re.compile(rb"<[^>/]*\bmessageId>(\d+)<")
_CURSOR = re.compile(rb"<[^>/]*cursor>([^<]+)<")
FETCH = 1_000
REPEAT_S = 0.1


class Soap:
    """`callers` at once, each sending `batch` messages a request. `accepted` has the numbers
    whose messages were accepted, `home` the ids of those whose receipt was fetched.

    `patience_s`: a request that was not accepted is repeated for so long, as a business system
    does whose node is away.
    """

    def __init__(self, port: int, callers: int, batch: int, patience_s: float = 0.0) -> None:
        self._port = port
        self._callers = callers
        self._batch = batch
        self._patience_s = patience_s
        self._lock = threading.Lock()
        self._fetcher = _Connection(port)
        self.accepted: set[str] = set()
        self.home: set[int] = set()
        self.failed: list[str] = []

    def feed(self, messages: int, pace: Pace, after: int = 0) -> None:
        """Send all, numbered from `after`; returns when the last one was accepted."""
        slices = self._slices(after, after + messages, pace)
        threads = [
            threading.Thread(target=self._call, args=(slices,), daemon=True)
            for _ in range(self._callers)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def finished(self) -> int:
        """Fetch and acknowledge what has come; how many receipts so far."""
        while True:
            reply = self._fetcher.post(
                f"<FetchReceipts><request><max>{FETCH}</max></request></FetchReceipts>"
            )
            fetched = _RECEIPT.findall(reply)
            if not fetched:
                return len(self.home)
            # Kept before it is acknowledged: the acknowledgement's own answer may be lost.
            self.home.update(map(int, fetched))
            cursor = _CURSOR.search(reply)
            if cursor is None:
                raise RuntimeError("no cursor in the answer")
            self._fetcher.post(
                f"<AckReceipts><request><cursor>{cursor[1].decode()}</cursor></request></AckReceipts>"
            )

    def close(self) -> None:
        self._fetcher.close()

    def _slices(self, first: int, end: int, pace: Pace) -> Iterator[range]:
        made = first
        while made < end:
            due = pace.wait(min(self._batch, end - made))
            yield range(made, made + due)
            made += due

    def _call(self, slices: Iterator[range]) -> None:
        connection = _Connection(self._port)
        while True:
            with self._lock:
                numbers = next(slices, None)
            if numbers is None:
                break
            fault = _accept(connection, numbers)
            deadline = time.monotonic() + self._patience_s
            while fault and time.monotonic() < deadline:
                time.sleep(REPEAT_S)
                fault = _accept(connection, numbers)
            if fault:
                self.failed.append(fault)
            else:
                self.accepted.update(map(mobile, numbers))
        connection.close()


class _Connection:
    """One kept-alive connection."""

    def __init__(self, port: int) -> None:
        self._http = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def post(self, body: str) -> bytes:
        """Raises OSError and http.client.HTTPException; the next call connects anew."""
        envelope = _ENVELOPE.format(account=ACCOUNT, password=PASSWORD, body=body)
        headers = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": '""'}
        try:
            self._http.request("POST", "/soap", envelope.encode(), headers)
            return self._http.getresponse().read()
        except (OSError, http.client.HTTPException):
            self._http.close()
            raise

    def close(self) -> None:
        self._http.close()


def _accept(connection: _Connection, numbers: range) -> str:
    """Send these messages in one request; why they were not accepted, or ""."""
    try:
        reply = connection.post(_request(numbers))
    except (OSError, http.client.HTTPException) as error:
        return type(error).__name__
    accepted = _ACCEPTED.search(reply)
    if accepted is not None and int(accepted[1]) == len(numbers):
        return ""
    return reply[:500].decode("utf-8", "replace")


def _request(numbers: range) -> str:
    if len(numbers) == 1:
        recipient = f"<Recipient><mobile>{mobile(numbers[0])}</mobile></Recipient>"
        return (
            f"<Send><request><clientRef>bench-{numbers[0]}</clientRef><business>bench</business>"
            f"<content>{escape(CONTENT)}</content><recipients>{recipient}</recipients>"
            "</request></Send>"
        )
    entries = "".join(
        f"<Entry><mobile>{mobile(n)}</mobile><content>{escape(CONTENT)}</content></Entry>"
        for n in numbers
    )
    return (
        f"<SendBatch><request><clientRef>bench-{numbers[0]}</clientRef>"
        f"<business>bench</business><entries>{entries}</entries></request></SendBatch>"
    )

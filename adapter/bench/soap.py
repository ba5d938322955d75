"""Load by the SOAP service: batches from several callers, done when each receipt was fetched."""

from __future__ import annotations

import http.client
import re
import threading
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
_RECEIPT = re.compile(rb"<[^>/]*receiptId>")
_CURSOR = re.compile(rb"<[^>/]*cursor>([^<]+)<")
FETCH = 1_000


class Soap:
    """`callers` at once, each sending `batch` messages a request."""

    def __init__(self, port: int, callers: int, batch: int) -> None:
        self._port = port
        self._callers = callers
        self._batch = batch
        self._lock = threading.Lock()
        self._fetcher = _Connection(port)
        self._fetched = 0
        self.failed: list[str] = []

    def feed(self, messages: int, pace: Pace, after: int = 0) -> None:
        """Send all, numbered from `after`; returns when the last one was accepted."""
        slices = self._slices(after, after + messages, pace)
        threads = [
            threading.Thread(target=self._call, args=(slices,)) for _ in range(self._callers)
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
            fetched = len(_RECEIPT.findall(reply))
            if not fetched:
                return self._fetched
            cursor = _CURSOR.search(reply)
            if cursor is None:
                raise RuntimeError("no cursor in the answer")
            self._fetcher.post(
                f"<AckReceipts><request><cursor>{cursor[1].decode()}</cursor></request></AckReceipts>"
            )
            self._fetched += fetched

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
            reply = connection.post(_request(numbers))
            accepted = _ACCEPTED.search(reply)
            if accepted is None or int(accepted[1]) != len(numbers):
                self.failed.append(reply[:500].decode("utf-8", "replace"))
        connection.close()


class _Connection:
    """One kept-alive connection."""

    def __init__(self, port: int) -> None:
        self._http = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def post(self, body: str) -> bytes:
        envelope = _ENVELOPE.format(account=ACCOUNT, password=PASSWORD, body=body)
        headers = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": '""'}
        self._http.request("POST", "/soap", envelope.encode(), headers)
        return self._http.getresponse().read()

    def close(self) -> None:
        self._http.close()


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

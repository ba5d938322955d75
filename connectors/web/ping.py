"""A harmless request (balance, say) that shows whether the provider serves us."""

from __future__ import annotations

from connectors.web.answers import Results, SoapResults
from connectors.web.requests import Requests
from connectors.web.settings import Result, Then, WebSettings
from connectors.web.soap import SoapService
from connectors.web.transport import LostError, NotSentError, Transport
from connectors.web.values import Values


class Ping:
    """Raises ValueError for settings that cannot work."""

    def __init__(self, settings: WebSettings, soap: SoapService | None) -> None:
        call = settings.ping
        assert call is not None  # there is no ping without
        self._values = Values(settings)
        self._requests = Requests(call, self._values.names, soap)
        result = settings.ping_result or Result()
        self._status_alone = settings.ping_result is None
        self._results = (SoapResults if call.operation else Results)(result)

    async def fault(self, transport: Transport) -> str:
        """Empty when the provider serves us."""
        try:
            given = await transport.exchange(self._requests.make(self._values.of({})))
        except (NotSentError, LostError) as e:
            return str(e)
        except ValueError as e:
            return f"ping: it cannot be written: {e}"
        if self._status_alone:
            return "" if 200 <= given.status < 300 else f"ping: HTTP {given.status}"
        verdict = self._results.read(given, [""])[0]
        if verdict.then is Then.ACCEPTED:
            return ""
        return f"ping: {verdict.reason or verdict.code}"

"""From texts to a request, and from its answer to a verdict for each."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from connectors.text import decode, parse_udh
from connectors.values import Submit
from connectors.web.answers import Results, SoapResults, Verdict
from connectors.web.items import id_of
from connectors.web.requests import Request, Requests, escape_of, template_of
from connectors.web.settings import Then, WebSettings
from connectors.web.soap import SoapService
from connectors.web.transport import Given
from connectors.web.values import OF_BATCH, OF_SUBMIT, Values


class Submitter:
    """Raises ValueError for settings that cannot work."""

    def __init__(
        self, settings: WebSettings, soap: SoapService | None, reference: Callable[[Submit], str]
    ) -> None:
        submission = settings.submit
        self._submission = submission
        self._prefix = settings.prefix
        self._with_mobile = settings.id_with_mobile
        self._reference = reference
        self._values = Values(settings, OF_SUBMIT | OF_BATCH)
        names = self._values.names
        self._entry = template_of("entry", submission.entry, names, escape_of(submission.call))
        self._requests = Requests(submission.call, names, soap, raw=OF_BATCH)
        self._results = (SoapResults if submission.call.operation else Results)(submission.result)
        if submission.batch > 1 and not submission.result.each and not settings.id_with_mobile:
            raise ValueError(
                "batch: one id for several recipients needs id-with-mobile, or each in the answer"
            )

    def take(self, waiting: deque[Submit], most: int) -> list[Submit]:
        """The texts that go out together, `most` at most, taken from the front."""
        batch = [waiting.popleft()]
        most = min(most, self._submission.batch)
        while waiting and len(batch) < most:
            if not self._submission.entry and not _alike(batch[0], waiting[0]):
                break
            if any(each.destination == waiting[0].destination for each in batch):
                break
            batch.append(waiting.popleft())
        return batch

    def request(self, batch: Sequence[Submit]) -> Request:
        """Raises ValueError for a text that cannot be written so."""
        own = [self._own(submit) for submit in batch]
        separator = self._submission.separator
        entries = ""
        if self._submission.entry:
            entries = separator.join(self._entry.fill(self._values.of(_one(each))) for each in own)
        mobiles = separator.join(each["mobile"] for each in own)
        values = {**own[0], "mobiles": mobiles, "count": str(len(batch)), "entries": entries}
        return self._requests.make(self._values.of(values))

    def verdicts(self, batch: Sequence[Submit], given: Given) -> list[Verdict]:
        """One for each of the batch."""
        told = self._results.read(given, [submit.destination for submit in batch])
        return [self._named(*pair) for pair in zip(batch, told, strict=True)]

    def _named(self, submit: Submit, verdict: Verdict) -> Verdict:
        """With the id by which receipts will come."""
        if verdict.then is not Then.ACCEPTED:
            return verdict
        id_ = verdict.id
        if not self._submission.result.id:
            id_ = self._reference(submit)
        if self._with_mobile:
            id_ = id_of(id_, submit.destination)
        return verdict._replace(id=id_)

    def _own(self, submit: Submit) -> dict[str, str]:
        octets = parse_udh(submit.payload)[1] if submit.udh else submit.payload
        return {
            "mobile": self._prefix + submit.destination,
            "text": decode(octets, submit.coding),
            "source": submit.source,
            "ref": self._reference(submit),
            "part": str(max(1, submit.number)),
            "parts": str(submit.total),
        }


def _one(own: dict[str, str]) -> dict[str, str]:
    return {**own, "mobiles": own["mobile"], "count": "1", "entries": ""}


def _alike(one: Submit, other: Submit) -> bool:
    """Whether one text serves both."""
    return (
        one.payload == other.payload
        and one.coding == other.coding
        and one.source == other.source
        and one.number == other.number
    )

"""Habits of single gateways that no specification knows, put right in one place for every protocol.

A `Quirks` belongs to the links of one channel and stands between what their dialects read and
what their handler is told.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from msgspec import structs

from connectors.ids import IdBook, IdForm
from connectors.text import decode, parse_udh
from connectors.values import Action, Answer, Coding, Inbound, Report, Submit

BARE = Answer(True, "", "0", Action.NONE)
"""What an answer without a body stands for: taken, but no receipt can be matched."""


@dataclass(frozen=True, slots=True)
class Quirks:
    """`report_ids`: how a report writes the id that the answer gave (SMPP's own options say it
    for SMPP). `bare_answers`: an answer to a submit that ends after its header means taken;
    otherwise it ends the connection. `tests`: the peer answers our heartbeats; if not, none are
    sent, and only its own traffic and the answers to submits tell that it lives.
    `from_zero`: sequence numbers begin with 0. `no_reports`: none ever comes, so what was taken
    counts as delivered. `gbk_as_ucs2`: texts labelled UCS-2 are GBK.
    """

    report_ids: IdForm = IdForm.SAME
    bare_answers: bool = False
    tests: bool = True
    from_zero: bool = False
    no_reports: bool = False
    gbk_as_ucs2: bool = False
    book: IdBook = field(default_factory=IdBook, compare=False, repr=False)

    def answered(self, answer: Answer) -> Answer:
        """An answer, its id remembered for the report."""
        if self.report_ids is IdForm.SAME or not answer.id:
            return answer
        return structs.replace(answer, id=self.book.issued(answer.id, self.report_ids))

    def delivered(self, item: Report | Inbound) -> Report | Inbound:
        """A report with the answer's id, a text as it was meant."""
        if isinstance(item, Inbound):
            return self._read_again(item) if self.gbk_as_ucs2 else item
        if self.report_ids is IdForm.SAME:
            return item
        return structs.replace(item, id=self.book.receipted(item.id, self.report_ids)[0])

    def report_for(self, submit: Submit, answer: Answer) -> Report | None:
        """The report that will never come; None where one will, or nothing was taken."""
        if not self.no_reports or not answer.ok or not answer.id:
            return None
        return Report(
            answer.id, "ACCEPTD", True, True, submit.destination, submit.source, "", "", b""
        )

    def _read_again(self, item: Inbound) -> Inbound:
        if item.coding != Coding.UCS2:
            return item
        octets = parse_udh(item.payload)[1] if item.total > 1 else item.payload
        return structs.replace(item, text=decode(octets, Coding.GB))

"""The worked examples of docs/integrator/database.md do what the page says."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from adapter.config.load import load
from adapter.config.model import Config
from adapter.domain.ids import IdMaker
from adapter.domain.states import State
from adapter.domain.values import Message, Notice, Reply, Submission
from adapter.intake.intake import Intake
from adapter.intake.limits import Limits
from adapter.sources import Sources
from adapter.sources.references import References
from dbpoll.ddl import ddl
from tests.dbpoll.conftest import ZONE, His, eventually

PAGE = Path(__file__).parents[1] / "docs" / "integrator" / "database.md"
CONFIG = """<adapter xmlns="urn:his-sms:config:1">
<channels><channel name="c" protocol="cmpp" version="3.0" access-number="10690001">
<connection host="127.0.0.1" port="7890" account="900001" password="x"/></channel></channels>
<routes><route carrier="mobile" channels="c"/></routes>
<clients><client account="his"/></clients>
<sources>{source}</sources>
<templates><template name="visit">${{name}}，请于${{time}}就诊</template></templates>
</adapter>"""


class Shop:
    """The store, in memory: what it accepted, and the first answers."""

    def __init__(self) -> None:
        self.accepted: dict[tuple[str, str, str], tuple[Submission, Sequence[Message]]] = {}
        self._lock = threading.Lock()

    def offer(
        self, batch: Sequence[tuple[Submission, Sequence[Message]]], replace: Sequence[bool] = ()
    ) -> Callable[[], list[Reply | None]]:
        with self._lock:
            for its, own in batch:
                self.accepted.setdefault((its.client, its.source, its.client_ref), (its, own))
        return lambda: [None for _ in batch]

    def first_answers(self, keys: Sequence[tuple[str, str, str]]) -> list[Reply | None]:
        return [None for _ in keys]

    def delivered(self, source: str) -> list[Notice]:
        now = next(iter(self.accepted.values()))[0].accepted_at
        return [
            Notice(
                1, f"source:{source}", its.id, its.submission_id, of.client_ref, "", its.mobile,
                State.DELIVERED, "DELIVRD", "", 1, "c", now, now,
            )
            for of, own in self.accepted.values()
            for its in own
        ]  # fmt: skip


def example(title: str) -> tuple[list[str], str, str, list[tuple[str, ...]]]:
    """The statements before the source, the source, the inserts and the query, what it gives."""
    section = PAGE.read_text("utf-8").split(f"### {title}\n")[1].split("\n#")[0]
    blocks = re.findall(r"```(\w+)\n(.*?)```", section, re.DOTALL)
    at = [kind for kind, _ in blocks].index("xml")
    before = [text for _, text in blocks[:at]]
    source, inserts, query = (text for _, text in blocks[at : at + 3])
    lines = [line for line in section.splitlines() if line.startswith("| ")][2:]
    rows = [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in lines]
    return [*before, inserts], source, query, rows


def located(source: str, his: str, results: str) -> str:
    """The example's source over databases of the test."""
    source = re.sub(r'\s+password="[^"]*"', "", source)
    source = re.sub(r'(<results url=)"[^"]*"', rf'\1"{results}"', source)
    return re.sub(r'(<source [^>]*?url=)"[^"]*"', rf'\1"{his}"', source, count=1)


@pytest.mark.parametrize("title", ["Own tables", "A legacy table", "A view that only may be read"])
def test_a_worked_example(title: str, tmp_path: Path) -> None:
    scripts, source, query, wanted = example(title)
    his = His(f"sqlite:///{tmp_path / 'his.db'}")
    results = His(f"sqlite:///{tmp_path / 'results.db'}") if "<results" in source else his
    results.script(ddl("sqlite").replace("OUTBOUND_ID BIGINT", "OUTBOUND_ID VARCHAR(20)"))
    for script in scripts:
        his.script(script)
    config = configured(tmp_path, located(source, his.url, results.url))
    shop = Shop()
    sources = Sources(
        config,
        Intake(shop, IdMaker(), config, Limits(ZONE, lambda account, since: 0)),
        Nobody(),  # type: ignore[arg-type]
        memory=lambda client, name: References(shop, client, name),
        answer_delay_s=0.05,
    )
    sources.start()
    [name] = sources.homes()
    eventually(lambda: shop.accepted)
    sources.homes()[name](shop.delivered(config.sources[0].name))

    def told() -> list[tuple[str, ...]]:
        return [
            tuple("" if cell is None else str(cell) for cell in row) for row in results.ask(query)
        ]

    eventually(lambda: told() == wanted)
    sources.stop()


def configured(tmp_path: Path, source: str) -> Config:
    file = tmp_path / "adapter.xml"
    file.write_text(CONFIG.format(source=source), "utf-8")
    return load(file, {})


class Nobody:
    """A desk that nobody asks: no row has several recipients."""

    def query(self, client: str, **which: Any) -> list[Any]:
        raise AssertionError(which)


def test_every_source_of_the_page_is_a_good_configuration(tmp_path: Path) -> None:
    source = r"<source [^>]*(?:/>|(?<!/)>.*?</source>)"
    sources = re.findall(source, PAGE.read_text("utf-8"), re.DOTALL)
    assert len(sources) >= 4
    for each in sources:
        plain = located(each, "sqlite:///h.db", "sqlite:///r.db")
        assert configured(tmp_path, plain).sources

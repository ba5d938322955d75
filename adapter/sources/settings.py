"""A configured source in dbpoll's words."""

from __future__ import annotations

from types import MappingProxyType
from zoneinfo import ZoneInfo

from adapter.config.model import Source
from dbpoll.settings import WORDS, Claim, Settings, Sql, Strategy
from dbpoll.values import Status


def settings_of(source: Source, zone: ZoneInfo, answer_delay_s: float = 3.0) -> Settings:
    """What dbpoll is told about a source."""
    strategy = Strategy(source.strategy)
    row = source.row
    words = {Status[name.upper()]: word for name, word in source.statuses.items()}
    return Settings(
        name=source.name,
        url=source.url,
        results_url=source.results_url,
        table=source.table,
        receipt_table=source.receipt_table,
        inbound_table=source.inbound_table,
        columns=source.columns,
        constants=source.constants,
        defaults=source.defaults,
        parameters=source.parameters,
        statuses=MappingProxyType({**WORDS, **words}),
        where=source.where,
        encoding=source.encoding,
        sql=Sql(**source.sql),
        strategy=strategy,
        claim=Claim(source.claim_by),
        late_s=source.late_s,
        from_start=source.begin == "start",
        move_to=source.move_to if strategy is Strategy.REMOVE else "",
        row_written=row == "written" or (row == "auto" and strategy is Strategy.STATUS),
        resend=source.resend == "allowed" and strategy is Strategy.STATUS,
        zone=zone,
        batch=source.batch,
        poll_min_s=source.poll_min_s,
        poll_max_s=source.poll_max_s,
        statement_timeout_s=source.statement_timeout_s,
        lock_timeout_s=source.lock_timeout_s,
        answer_delay_s=answer_delay_s,
        connections=source.connections,
        channel=source.channel,
        thick=source.thick,
    )

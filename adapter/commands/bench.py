"""`sms-adapter bench`: which measurement an invocation asks for."""

from __future__ import annotations

from typing import Any

from adapter.bench.rig import Line


def measure(what: str, line: Line | None, urgent: float, **wanted: Any) -> dict[str, Any]:
    """Run it; the figures. Without a `line` no carrier takes what was accepted. `what` is `way`,
    `accept`, `flood`, `idle`, `waiting`, `upload` or `stored`.

    Raises RuntimeError when the node fails.
    """
    match what:
        case "waiting":
            from adapter.bench.waiting import measure_waiting

            return measure_waiting(wanted["store"], wanted["messages"], wanted["batch"])
        case "accept":
            from adapter.bench.doors import measure_accept

            del wanted["his"]
            return measure_accept(**wanted)
        case "flood":
            from adapter.bench.doors import measure_flood

            del wanted["his"]
            return measure_flood(line=line, **wanted)
        case "idle":
            from adapter.bench.doors import measure_idle

            return measure_idle(wanted["store"], wanted["messages"])
        case "upload":
            from adapter.bench.upload import measure_upload

            return measure_upload(wanted["store"], wanted["messages"], urgent, line or Line())
        case "stored":
            from adapter.bench.stored import measure_stored

            return measure_stored(wanted["store"], wanted["messages"], line or Line())
        case _:
            from adapter.bench.run import Wanted, bench

            return bench(Wanted(line=line or Line(), **wanted))

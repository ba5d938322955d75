"""The spare access number: switched while the node works, kept over a restart."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner, Result

from adapter.cli import main
from tests.nodes import ACCESS_NUMBER, Carrier, Node, Setup, Soap, until

SPARE = "106955550000"


def command(config: Path, *words: str) -> Result:
    return CliRunner().invoke(main, ["access-number", *words, "--config", str(config)])


def test_a_switch_takes_effect_at_once_and_lasts(tmp_path: Path) -> None:
    with Carrier() as carrier:
        setup = Setup(tmp_path, "sqlite:///store.db", carrier.port)
        config = setup.write()
        written = config.read_text(encoding="utf-8")
        own = f'access-number="{ACCESS_NUMBER}"'
        config.write_text(written.replace(own, f'{own} spare-number="{SPARE}"'), encoding="utf-8")
        with Node(config, setup.web_port) as node:
            node.start()
            soap = Soap(node.url)
            soap.send("13800138000", "first", "1")
            carrier.wait_for("submit", 1)
            found = command(config, "spare", "--channel", "main")
            assert (found.exit_code, found.output) == (0, "spare: main\n")
            until(lambda: node.status()["channels"][0]["on_spare"], "switched")
            assert node.status()["channels"][0]["access_number"] == SPARE
            soap.send("13800138001", "second", "2")
            carrier.wait_for("submit", 2)
            # Replies to both numbers find their messages.
            carrier.send_inbound("13800138000", ACCESS_NUMBER + "02", "one")
            carrier.send_inbound("13800138001", SPARE + "02", "two")

            def replies() -> list[tuple[str, str, str]]:
                got = soap.call("FetchInbound", max=10)
                texts = (got.inbound.Inbound if got.inbound else None) or []
                return sorted((t.content, t.accessNumber, t.clientRef) for t in texts)

            until(lambda: len(replies()) == 2, "both replies")
            assert replies() == [("one", ACCESS_NUMBER, "1"), ("two", SPARE, "2")]
            assert node.stop() == 0
            node.start()
            Soap(node.url).send("13800138002", "third", "3")
            carrier.wait_for("submit", 3)
        sources = [each["source"] for each in carrier.events("submit")]
        assert sources == [ACCESS_NUMBER + "02", SPARE + "02", SPARE + "02"]


def test_the_configuration_may_be_named_as_with_status(tmp_path: Path) -> None:
    config = str(Setup(tmp_path, "sqlite:///store.db", 1).write())
    ways: tuple[tuple[str, ...], ...] = ((config,), ("--config", config))
    for way in ways:
        switched = CliRunner().invoke(main, ["access-number", "spare", "--all", *way])
        assert "no channel has a spare-number" in switched.output
        asked = CliRunner().invoke(main, ["status", *way])
        assert "no node answers" in asked.output
    twice = CliRunner().invoke(main, ["status", config, "--config", config])
    assert (twice.exit_code, "twice" in twice.output) == (2, True)


def test_bad_use(tmp_path: Path) -> None:
    config = Setup(tmp_path, "sqlite:///store.db", 1).write()
    assert command(config, "spare").exit_code == 2
    assert command(config, "spare", "--all", "--channel", "main").exit_code == 2
    for words, reason in (
        (("--channel", "nobody"), "there is no channel 'nobody'; channels: main"),
        (("--channel", "main"), "the channel main has no spare-number"),
        (("--all",), "no channel has a spare-number"),
    ):
        found = command(config, "spare", *words)
        assert found.exit_code == 1
        assert reason in found.output

"""What passes on a channel can be looked at while the node runs, and tells nobody's secrets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from adapter.cli import main
from tests.nodes import SECRET, Carrier, Node, Setup, Soap, until

MOBILE, TEXT = "13800138000", "您的检查报告已出，请到自助机打印。"


def asked(config: Path, *options: str) -> str:
    done = CliRunner().invoke(main, ["status", str(config), *options])
    assert done.exit_code == 0, done.output
    return done.output


def entries(config: Path) -> list[dict[str, Any]]:
    (channel,) = json.loads(asked(config, "--json", "--frames", "main"))["channels"]
    found: list[dict[str, Any]] = channel["frames"]
    return found


@pytest.mark.slow
def test_frames_outlive_their_connection_and_hide_what_they_must(tmp_path: Path) -> None:
    with Carrier() as carrier:
        setup = Setup(tmp_path, f"sqlite:///{tmp_path / 'store.db'}", carrier.port, links=1)
        config = setup.write()
        written = config.read_text(encoding="utf-8")
        config.write_text(
            written.replace('<channel name="main"', '<channel name="main" trace="100"'),
            encoding="utf-8",
        )
        with Node(config, setup.web_port).start() as node:
            Soap(node.url).send(MOBILE, TEXT, "R-1")
            until(lambda: any(each["name"] == "CMPP_DELIVER" for each in entries(config)))
            carrier.send_raw(b"GET / HTTP/1.1\r\nX: 13912345678\r\n\r\n")
            until(lambda: [each["way"] for each in entries(config)].count("opened") == 2)
            kept = entries(config)
            told = asked(config, "--frames", "main") + asked(config, "--frames")
            assert node.stop() == 0
    submit = next(each for each in kept if each["name"] == "CMPP_SUBMIT")
    assert (submit["way"], submit["link"]) == ("sent", "main-1")
    assert submit["fields"]["Dest_terminal_Id"] == ["138****8000"]
    report = next(each for each in kept if each["name"] == "CMPP_DELIVER")
    assert (report["way"], report["fields"]["report"]["Stat"]) == ("received", "DELIVRD")
    ways = [each["way"] for each in kept]
    cut = ways.index("cut")
    assert kept[cut]["name"].startswith("bad frame length")
    assert ways[cut + 1 :].index("closed") < ways[cut + 1 :].index("opened")
    for text in (told, json.dumps(kept, ensure_ascii=False)):
        assert MOBILE not in text
        assert "13912345678" not in text
        assert SECRET not in text
        assert TEXT[:2] not in text
        assert TEXT.encode("utf-16-be").hex()[:8] not in text


@pytest.mark.slow
def test_nothing_is_kept_unless_asked_for(tmp_path: Path) -> None:
    with Carrier() as carrier:
        setup = Setup(tmp_path, f"sqlite:///{tmp_path / 'store.db'}", carrier.port)
        with Node(setup.write(), setup.web_port).start():
            assert entries(tmp_path / "adapter.xml") == []
            assert "nothing is kept" in asked(tmp_path / "adapter.xml", "--frames")

"""A gateway that sends no reports and refuses extensions, on the whole way."""

from __future__ import annotations

from pathlib import Path

from connectors.behaviour import Behaviour
from tests.nodes import ACCESS_NUMBER, Carrier, Node, Setup, Soap, until

QUIRKS = '<quirks reports="false" extension="false"/>'


def test_taken_is_delivered_and_a_reply_finds_its_message_by_its_phone(tmp_path: Path) -> None:
    with Carrier(Behaviour(receipts=False)) as carrier:
        setup = Setup(tmp_path, "sqlite:///store.db", carrier.port)
        config = setup.write()
        written = config.read_text(encoding="utf-8")
        config.write_text(written.replace("    </channel>", QUIRKS + "</channel>"), "utf-8")
        with Node(config, setup.web_port) as node:
            soap = Soap(node.start().url)
            sent = [soap.send(f"1380013800{k}", "word " * 40, f"ref-{k}") for k in range(3)]

            def states() -> list[str]:
                found = soap.call("Query", messageIds={"MessageId": [str(made) for made in sent]})
                return [each.state for each in found.messages.Message]

            until(lambda: states() == ["DELIVERED"] * 3, "all delivered")
            carrier.send_inbound("13800138001", ACCESS_NUMBER, "yes")

            def replies() -> list[str]:
                got = soap.call("FetchInbound", max=10)
                texts = (got.inbound.Inbound if got.inbound else None) or []
                return [each.clientRef for each in texts]

            until(replies, "the reply")
            assert replies() == ["ref-1"]
        assert {each["source"] for each in carrier.events("submit")} == {ACCESS_NUMBER}

"""A gateway that sends no reports and refuses extensions, and one that reports failures only, on
the whole way."""

from __future__ import annotations

from pathlib import Path

from connectors.behaviour import Behaviour
from tests.nodes import ACCESS_NUMBER, Carrier, Node, Setup, Soap, until

FAILURES_ONLY = '<quirks delivered-after="2s"/>'
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


def test_where_only_failures_are_reported_the_rest_is_delivered_later_even_over_a_restart(
    tmp_path: Path,
) -> None:
    with Carrier(Behaviour(receipts=False)) as carrier:
        setup = Setup(tmp_path, "sqlite:///store.db", carrier.port)
        config = setup.write()
        with Node(config, setup.web_port) as node:
            soap = Soap(node.start().url)
            sent = [soap.send(f"1380013800{k}", "word " * 40, f"ref-{k}") for k in range(3)]
            short = soap.send("13800138003", "word", "ref-3")
            carrier.wait_for("submit", 10)
            submits = {(each["destination"], each["number"]): each for each in carrier.taken()}
            found: dict[int, tuple[str, str]] = {}

            def ended(count: int) -> bool:
                for each in soap.fetch_all("Receipts"):
                    assert int(each.messageId) not in found
                    found[int(each.messageId)] = (each.state, each.carrierCode)
                return len(found) == count

            # A part of the second one fails; when the short one has, that is recorded, too.
            failed = [submits["13800138001", 2], submits["13800138003", 1]]
            carrier.send_receipts(failed, "UNDELIV")
            until(lambda: ended(1), "the first failure")
            node.kill()
            written = config.read_text(encoding="utf-8")
            config.write_text(
                written.replace("    </channel>", FAILURES_ONLY + "</channel>"), "utf-8"
            )
            soap = Soap(node.start().url)
            until(lambda: ended(4), "every receipt")
            taken, failure = ("DELIVERED", "ACCEPTD"), ("UNDELIVERED", "UNDELIV")
            assert [found[made] for made in (*sent, short)] == [taken, failure, taken, failure]
            assert node.at_rest()

"""A long text from a phone: in parts, over a death of the node, with parts that come again."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

from sqlalchemy import Engine, Table

from adapter.store.engine import open_engine
from adapter.store.schema import inbound, inbound_part
from connectors.cmpp.pdus import CODECS, V3, Deliver
from connectors.text import build_udh
from tests.nodes import ACCESS_NUMBER, Carrier, Node, Setup, Soap, until
from tests.store.making import count

TEXT = "医生您好，我明天上午的号想改到下午😀谢谢"
PHONE = "13800138000"


def frames(text: str, cuts: tuple[int, ...], reference: int) -> list[bytes]:
    """The parts of a text that the phone cut after so many octets, as a gateway sends them."""
    octets = text.encode("utf-16-be")
    bounds = [0, *cuts, len(octets)]
    pieces = [octets[a:b] for a, b in pairwise(bounds)]
    return [
        CODECS[V3].encode(
            Deliver(
                sequence_id=1_000 + number,
                msg_id=bytes((0x90, 0, 0, 0, 0, 0, reference, number)),
                dest_id=(ACCESS_NUMBER + "02").encode(),
                tp_udhi=1,
                msg_fmt=8,
                src_terminal_id=PHONE.encode(),
                msg_content=build_udh(reference, len(pieces), number) + piece,
            )
        )
        for number, piece in enumerate(pieces, 1)
    ]


def waits(engine: Engine, table: Table, rows: int) -> None:
    until(lambda: count(engine, table) == rows, f"{rows} rows in {table.name}")


def test_a_long_text_over_a_death_of_the_node(tmp_path: Path) -> None:
    pair = TEXT.encode("utf-16-be").index("😀".encode("utf-16-be"))
    first, second, third = frames(TEXT, (10, pair + 2), reference=7)
    with Carrier() as carrier:
        setup = Setup(tmp_path, "sqlite:///store.db", carrier.port)
        config = setup.write()
        engine = open_engine(f"sqlite:///{tmp_path / 'store.db'}")
        with Node(config, setup.web_port) as node:
            node.start()
            Soap(node.url).send(PHONE, "reply, please", "asked")
            carrier.wait_for("submit", 1)
            for frame in (third, first, first):
                carrier.send_raw(frame)
            waits(engine, inbound_part, 2)
            node.kill()
            node.start()
            soap = Soap(node.url)
            soap.send("13800138001", "the link is up", "other")
            carrier.wait_for("submit", 2)
            for frame in (first, second, second):
                carrier.send_raw(frame)
            waits(engine, inbound, 1)
            # Everything once more, after the text was whole; then another text, as a mark.
            for frame in (first, second, third, *frames("later" * 20, (100,), reference=8)):
                carrier.send_raw(frame)
            waits(engine, inbound, 2)
            assert count(engine, inbound_part) == 0
            found = [
                (each.content, each.mobile, each.clientRef) for each in soap.fetch_all("Inbound")
            ]
            assert node.stop() == 0
        assert found == [(TEXT, PHONE, "asked"), ("later" * 20, PHONE, "asked")]
        waits(engine, inbound_part, 0)
        engine.dispose()


def test_what_never_comes_is_marked(tmp_path: Path) -> None:
    _, second = frames(TEXT, (20,), reference=9)
    with Carrier() as carrier:
        policies = '<policies inbound-wait="200ms"/>'
        setup = Setup(tmp_path, "sqlite:///store.db", carrier.port, policies=policies)
        config = setup.write()
        with Node(config, setup.web_port) as node:
            node.start()
            soap = Soap(node.url)
            soap.send(PHONE, "reply, please", "asked")
            carrier.wait_for("submit", 1)
            carrier.send_raw(second)
            found: list[str] = []

            def arrived() -> bool:
                found.extend(each.content for each in soap.fetch_all("Inbound"))
                return bool(found)

            until(arrived, "the text as far as it came")
            assert found == ["[缺1/2]" + TEXT[10:]]
            assert node.stop() == 0

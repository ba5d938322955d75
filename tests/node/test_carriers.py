"""A node with a channel over SMGP and one over SGIP: texts out, receipts and replies back."""

from __future__ import annotations

from pathlib import Path

from adapter.security.passwords import hash_password
from connectors.behaviour import Behaviour
from connectors.sgip.settings import GatewaySettings
from tests.nodes import ACCOUNT, HOST, PASSWORD, SECRET, Carrier, Node, Soap, free_port, until

TELECOM, UNICOM = "18912345678", "13012345678"
LONG = "您预约的门诊已确认，请携带身份证到门诊楼取号。" * 5


def configuration(folder: Path, web: int, telecom: int, unicom: int, listener: int) -> Path:
    path = folder / "adapter.xml"
    path.write_text(
        f"""\
<adapter xmlns="urn:his-sms:config:1">
  <node name="test"/>
  <store url="sqlite:///adapter.db"/>
  <web port="{web}"/>
  <channels>
    <channel name="telecom" protocol="smgp" version="3.0" access-number="1065912345">
      <connection host="{HOST}" port="{telecom}" account="{ACCOUNT}" password="{SECRET}"
                  links="2" reconnect-min="50ms" reconnect-max="500ms"/>
      <smgp msg-src="12345678" product="PID0001" separate="true"/>
    </channel>
    <channel name="unicom" protocol="sgip" version="1.2" access-number="1065501234">
      <connection host="{HOST}" port="{unicom}" account="{ACCOUNT}" password="{SECRET}"
                  links="2" reconnect-min="50ms" reconnect-max="500ms"/>
      <sgip corp="12345" node="3010012345" rest="1s"/>
      <listener host="{HOST}" port="{listener}" account="smgcli" password="smgpass"
                networks="127.0.0.0/8"/>
    </channel>
  </channels>
  <routes>
    <route carrier="telecom" channels="telecom"/>
    <route carrier="unicom" channels="unicom"/>
  </routes>
  <clients>
    <client account="web" extension="02"><password hash="{hash_password(PASSWORD)}"/></client>
  </clients>
</adapter>
""",
        encoding="utf-8",
    )
    return path


def test_each_number_goes_through_its_carrier_and_answers_come_back(tmp_path: Path) -> None:
    web, listener = free_port(), free_port()
    replies = Behaviour(inbound_share=1.0, inbound_text="收到")
    smg = GatewaySettings(account="smgcli", password="smgpass")
    with (
        Carrier(replies, protocol="smgp") as telecom,
        Carrier(replies, protocol="sgip", own=smg, client_port=listener) as unicom,
        Node(configuration(tmp_path, web, telecom.port, unicom.port, listener), web) as node,
    ):
        node.start()
        soap = Soap(node.url)
        short = soap.send_batch([(TELECOM, "检查报告已出"), (UNICOM, "检查报告已出")], "1")
        long = soap.send_batch([(TELECOM, LONG), (UNICOM, LONG)], "2")
        telecom.wait_for("receipt", 3)
        unicom.wait_for("receipt", 3)
        receipts: dict[int, str] = {}
        texts: list[tuple[str, str]] = []

        def all_came() -> bool:
            for each in soap.fetch_all("Receipts"):
                receipts[int(each.messageId)] = each.state
            texts.extend((each.mobile, each.content) for each in soap.fetch_all("Inbound"))
            final = [each for each in receipts.values() if each == "DELIVERED"]
            return len(final) == 4 and len(texts) >= 6

        until(all_came, "receipts and replies of both carriers")
        assert set(receipts) == {*short, *long}
        assert sorted(set(texts)) == [(UNICOM, "收到"), (TELECOM, "收到")]
        assert {each["destination"] for each in telecom.taken()} == {TELECOM}
        assert {each["destination"] for each in unicom.taken()} == {"86" + UNICOM}
        for carrier, source in ((telecom, "106591234502"), (unicom, "106550123402")):
            taken = carrier.taken()
            assert {each["source"] for each in taken} == {source}
            assert "".join(each["text"] for each in taken if each["total"] == 2) == LONG
        assert node.at_rest()
        assert node.stop() == 0, node.last_words()

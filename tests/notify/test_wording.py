"""States and codes in words, by the protocol of the channel."""

from __future__ import annotations

import pytest

from adapter.domain.states import FINAL, State
from adapter.notify.wording import describer

DESCRIBE = describer({"mobile": "cmpp", "telecom": "smgp", "unicom": "sgip", "abroad": "smpp",
                      "web": "http"})  # fmt: skip


@pytest.mark.parametrize(
    ("channel", "code", "words"),
    [
        ("mobile", "8", "运营商拒绝：流量控制错 (8)"),
        ("telecom", "75", "运营商拒绝：超过日发送量 (75)"),
        ("unicom", "8", "运营商拒绝：信息长度错 (8)"),
        ("abroad", "0x58", "运营商拒绝：流量超限 (0x58)"),
        ("web", "8", "运营商拒绝：8"),
        ("gone", "8", "运营商拒绝：8"),
        ("", "UNSENDABLE", "无法编码，未发送"),
        ("mobile", "", "运营商拒绝"),
    ],
)
def test_a_refusal_reads_by_the_protocol_of_its_channel(
    channel: str, code: str, words: str
) -> None:
    assert DESCRIBE(State.REJECTED, code, channel) == words


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("MK:0001", "发送失败：短信中心或移动网络返回错误 (MK:0001)"),
        ("SGIP:29", "发送失败：不知道的用户 (SGIP:29)"),
        ("UNDELIV:005", "发送失败：用户在黑名单内 (UNDELIV:005)"),
        ("8", "发送失败：发送失败 (8)"),
    ],
)
@pytest.mark.parametrize("channel", ["mobile", "telecom", "unicom", "abroad", "web", "gone"])
def test_a_report_reads_alike_on_every_channel(channel: str, code: str, words: str) -> None:
    assert DESCRIBE(State.UNDELIVERED, code, channel) == words


def test_nobody_knows_for_two_reasons() -> None:
    assert DESCRIBE(State.UNKNOWN, "NO_RECEIPT", "mobile") == "未收到状态报告"
    assert DESCRIBE(State.UNKNOWN, "NO_ANSWER", "mobile") == "提交后未获应答，是否送达未知"


def test_every_end_has_words() -> None:
    assert all(DESCRIBE(state, "", "mobile") for state in FINAL)

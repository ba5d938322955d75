"""Codes: what to do, what they mean."""

from __future__ import annotations

import pytest

from connectors.codes import RESULTS, reason, result, result_reason, stat
from connectors.values import Action


@pytest.mark.parametrize(
    ("code", "action"),
    [
        (0, Action.NONE),
        (1, Action.PERMANENT),
        (8, Action.THROTTLE),
        (9, Action.OTHER_CHANNEL),
        (10, Action.PERMANENT),
        (72, Action.OTHER_CHANNEL),
        (14, Action.PERMANENT),
        (150, Action.PERMANENT),
        *[(code, Action.RETRY) for code in (53, 54, 70, 73, 77, 85, 250)],
        (2**32 - 1, Action.PERMANENT),
    ],
)
def test_actions(code: int, action: Action) -> None:
    assert result("cmpp", code).action is action


def test_every_result_reads_in_both_languages() -> None:
    for table in RESULTS.values():
        for reading in table.values():
            assert reading.zh
            assert reading.en
    for code, reading in RESULTS["cmpp"].items():
        assert result_reason("cmpp", str(code)) == f"{reading.zh} ({code})"


@pytest.mark.parametrize(
    ("text", "delivered", "final"),
    [
        ("DELIVRD", True, True),
        ("ACCEPTD", False, False),
        ("ENROUTE", False, False),
        ("UNDELIV", False, True),
        ("EXPIRED", False, True),
        ("REJECTD", False, True),
        ("UNKNOWN", False, True),
        ("MK:0001", False, True),
        ("00138", False, True),
        ("NOSEND", False, True),
        ("", False, False),
    ],
)
def test_stats(text: str, delivered: bool, final: bool) -> None:
    reading = stat(text)
    assert (reading.delivered, reading.final) == (delivered, final)
    assert reading.zh
    assert reading.en


def test_reasons_are_readable_and_keep_the_code() -> None:
    assert reason("MB:1077") == "短信中心返回错误 (MB:1077)"
    assert reason("MB:1077", chinese=False) == "SMSC answered with an error (MB:1077)"
    assert reason("CB:0007", chinese=False) == "insufficient balance (CB:0007)"
    assert reason("XX:1") == "发送失败 (XX:1)"
    assert reason("") == ""


@pytest.mark.parametrize(
    ("code", "action"),
    [
        (0, Action.NONE),
        (1, Action.THROTTLE),
        (2, Action.RETRY),
        (12, Action.PERMANENT),
        (39, Action.OTHER_CHANNEL),
        (57, Action.PERMANENT),
        (58, Action.OTHER_CHANNEL),
        (72, Action.PERMANENT),
        (74, Action.RETRY),
        (75, Action.OTHER_CHANNEL),
        (200, Action.PERMANENT),
    ],
)
def test_actions_of_smgp(code: int, action: Action) -> None:
    assert result("smgp", code).action is action


@pytest.mark.parametrize(
    ("code", "action"),
    [
        (0, Action.NONE),
        (1, Action.PERMANENT),
        (3, Action.RETRY),
        (6, Action.OTHER_CHANNEL),
        (11, Action.THROTTLE),
        (22, Action.OTHER_CHANNEL),
        (29, Action.PERMANENT),
        (32, Action.RETRY),
        (33, Action.THROTTLE),
        (34, Action.RETRY),
        (88, Action.THROTTLE),
        (255, Action.PERMANENT),
    ],
)
def test_actions_of_sgip(code: int, action: Action) -> None:
    assert result("sgip", code).action is action


def test_error_codes_of_sgip_reports_are_readable() -> None:
    assert reason("SGIP:29", chinese=False) == "unknown user (SGIP:29)"
    assert reason("SGIP:251") == "发送失败 (SGIP:251)"
    assert stat("SGIP:251").final
    assert not stat("SGIP:0").delivered


@pytest.mark.parametrize(
    ("protocol", "code", "words"),
    [
        ("cmpp", "8", "flow control (8)"),
        ("cmpp", "150", "gateway's own code (150)"),
        ("smgp", "8", "gateway's own code (8)"),
        ("smgp", "75", "daily quota exceeded (75)"),
        ("sgip", "8", "message length error (8)"),
        ("smpp", "0x58", "throttled (0x58)"),
        ("smpp", "0x0b", "destination address is invalid (0x0b)"),
        ("smpp", "0x4ff", "gateway's own code (0x4ff)"),
        ("http", "8", "8"),
        ("", "8", "8"),
        ("cmpp", "isv.BUSINESS_LIMIT_CONTROL", "isv.BUSINESS_LIMIT_CONTROL"),
        ("cmpp", "0xzz", "0xzz"),
        ("cmpp", "", ""),
    ],
)
def test_a_result_reads_by_its_protocol(protocol: str, code: str, words: str) -> None:
    assert result_reason(protocol, code, chinese=False) == words
    assert code in result_reason(protocol, code)


@pytest.mark.parametrize(
    ("code", "zh", "en"),
    [
        ("MA:0054", "短信中心无响应", "SMSC gave no response"),
        ("MC:0055", "未收到短信中心状态报告", "no report from the SMSC"),
        ("MK:1008", "短信中心或移动网络返回错误", "error of the SMSC or the mobile network"),
        ("MI:0013", "短信中心或移动网络返回错误", "error of the SMSC or the mobile network"),
        ("ID:0076", "网关或业务平台拒绝", "refused by a gateway or a service platform"),
        (
            "IB:0008",
            "下一级网关返回错误：流量控制错",
            "next gateway answered with an error: flow control",
        ),
        ("IB:9999", "下一级网关返回错误", "next gateway answered with an error"),
        ("IC:0001", "未收到下一级网关状态报告", "no report from the next gateway"),
        ("DB:0140", "业务管理平台返回错误", "DSMP answered with an error"),
        ("CB:9999", "计费平台返回错误", "SCP answered with an error"),
        ("LIMIT", "超过发送频率限制", "sent too often"),
        ("LIMIT:1-1", "超过发送频率限制", "sent too often"),
        ("12", "发送失败", "failed"),
        ("ZZ:1", "发送失败", "failed"),
    ],
)  # fmt: skip
def test_a_stat_reads_in_both_languages(code: str, zh: str, en: str) -> None:
    assert reason(code) == f"{zh} ({code})"
    assert reason(code, chinese=False) == f"{en} ({code})"
    assert stat(code).final
    assert not stat(code).delivered

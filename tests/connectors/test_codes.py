"""Codes: what to do, what they mean."""

from __future__ import annotations

import pytest

from connectors.codes import RESULTS, reason, result, stat
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
        assert reason(str(code)) == f"{reading.zh} ({code})"


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
    assert reason("8", chinese=False) == "flow control (8)"
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

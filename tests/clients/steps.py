"""What each client of tests/clients does, what it prints, and what it must have done.

A client calls every operation of the contract in the order below and prints one line for each
step: its name and what the answer held, separated by tabs, in UTF-8.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

REPLY = "收到 ，谢谢"
"""The text of the phone 13700137000; the control character in it has become a space."""
SENT_REPLY = "收到\x07，谢谢"

PRINTED: Mapping[str, Sequence[Sequence[str]]] = {
    "ping": [["running"]],
    "account": [["{account}"]],
    # Three recipients, the last with a letter in its number; lane and passThrough given.
    "send": [["PARTIAL", "2", "1", "门诊"]],
    "result": [
        ["13800138000", "甲", "OK"],
        ["13900139000", "", "OK"],
        ["1380013800O", "", "BAD_NUMBER"],
    ],
    # The same clientRef once more.
    "again": [["same"]],
    "batch": [["OK", "2", "0"]],
    # For tomorrow, with a businessKey and without a receipt; then withdrawn by that key.
    "later": [["OK"]],
    "cancel": [["OK", "1"]],
    "receipt": [
        ["13800138000", "DELIVERED"],
        ["13800138001", "DELIVERED"],
        ["13800138002", "DELIVERED"],
        ["13900139000", "DELIVERED"],
    ],
    "acknowledged": [["4"]],
    "left": [["0", "none"]],
    "message": [["13800138000", "DELIVERED", "1"], ["13900139000", "DELIVERED", "1"]],
    "inbound": [["13700137000", REPLY]],
    "noted": [["1"]],
    # SendText with the right and with a wrong password: code and words, code and empty id.
    "text": [["OK", "2 accepted"], ["AUTH_FAILED", ""]],
    # The name of the answer's document and the code in it.
    "exchange": [["SendResponse", "OK"]],
    # A Query with two keys, then the same with a wrong password: code and field of the fault.
    "fault": [["BAD_REQUEST", "submissionId"], ["AUTH_FAILED", ""]],
}

TEXTS = {
    "13800138000": "王①镕您好：体温<37.3℃ & 无症状，请于14:30就诊。",
    "13900139000": "王①镕您好：体温<37.3℃ & 无症状，请于14:30就诊。",
    "13800138001": "报告已出",
    "13800138002": "请取药",
    "13800138004": "一串文字",
    "13800138005": "一串文字",
    "13800138006": "文档 & 一串",
}
"""What the carrier must have got, by number."""


def read(output: str) -> dict[str, list[list[str]]]:
    """The lines of a client by step; those of receipts and messages have no order of their own."""
    found: dict[str, list[list[str]]] = {}
    for line in output.splitlines():
        step, *words = line.split("\t")
        found.setdefault(step, []).append(words)
    for step in ("receipt", "message"):
        found.get(step, []).sort()
    return found


def expected(account: str, *, cannot_decline: bool) -> dict[str, list[list[str]]]:
    """`cannot_decline`: a client that cannot say receipt false gets that of the text withdrawn."""
    steps = {
        step: [[word.format(account=account) for word in line] for line in lines]
        for step, lines in PRINTED.items()
    }
    if cannot_decline:
        steps["receipt"].append(["13800138003", "CANCELLED"])
        steps["receipt"].sort()
        steps["acknowledged"] = [["5"]]
    return steps

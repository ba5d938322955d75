"""A message's state and the carrier's code, in words that hospital staff can read.

What a number means depends on the protocol: a refusal is read by that of its channel, a
status report says by itself who made it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache

from adapter.domain.states import State
from connectors import codes

Describe = Callable[[State, str, str], str]
"""(state, code, channel) in words."""

_STATES = {
    State.SUBMITTED: "已提交运营商",
    State.DELIVERED: "发送成功",
    State.UNDELIVERED: "发送失败",
    State.REJECTED: "运营商拒绝",
    State.EXPIRED: "超过有效期未发送",
    State.CANCELLED: "已取消",
    State.UNKNOWN: "未收到状态报告",
    State.IN_DOUBT: "已提交，结果未知",
}
_OWN = {
    (State.UNKNOWN, "NO_ANSWER"): "提交后未获应答，是否送达未知",
    (State.REJECTED, "UNSENDABLE"): "无法编码，未发送",
    (State.REJECTED, "UNSENT"): "多次未能发出",
}
"""What the platform itself found, and no carrier said."""


def describer(protocols: Mapping[str, str]) -> Describe:
    """Words for what happened on channels; `protocols` by the channel's name."""

    @lru_cache(maxsize=4096)
    def by_channel(state: State, code: str, channel: str) -> str:
        return describe(state, code, protocols.get(channel, ""))

    return by_channel


def describe(state: State, code: str, protocol: str) -> str:
    """The state in Chinese; where the carrier said why it failed, its reason and code too."""
    words = _OWN.get((state, code)) or _STATES.get(state, "")
    if not code or (state, code) in _OWN:
        return words
    if state is State.REJECTED:
        return f"{words}：{codes.result_reason(protocol, code)}"
    return f"{words}：{codes.reason(code)}" if state is State.UNDELIVERED else words

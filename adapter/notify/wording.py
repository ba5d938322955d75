"""A message's state and the carrier's code, in words that hospital staff can read."""

from __future__ import annotations

from functools import lru_cache

from adapter.domain.states import State
from connectors import codes

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
_CARRIERS_CODE = frozenset({State.UNDELIVERED, State.REJECTED})


@lru_cache(maxsize=4096)
def describe(state: State, code: str) -> str:
    """The state in Chinese; where the carrier said why it failed, its reason and code too."""
    words = _STATES.get(state, "")
    if code and state in _CARRIERS_CODE:
        return f"{words}：{codes.reason(code)}"
    return words

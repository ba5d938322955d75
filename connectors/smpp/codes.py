"""SMPP's command_status (smpp.md 9)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from connectors.readings import Result
from connectors.values import Action

OK = 0x00
INVALID_LENGTH, INVALID_COMMAND, WRONG_STATE, ALREADY_BOUND = 0x02, 0x03, 0x04, 0x05
BIND_FAILED, INVALID_PASSWORD, INVALID_SYSTEM_ID = 0x0D, 0x0E, 0x0F
CANCEL_FAILED, REPLACE_FAILED, QUERY_FAILED = 0x11, 0x13, 0x67
NO_DESTINATION, INVALID_LIST = 0x33, 0x34
INVALID_SYSTEM_TYPE = 0x53
THROTTLED = 0x58
UNKNOWN_ERROR = 0xFF

_P, _R, _T = Action.PERMANENT, Action.RETRY, Action.THROTTLE

RESULTS: Mapping[int, Result] = MappingProxyType(
    {
        0x00: Result(Action.NONE, "成功", "accepted"),
        0x01: Result(_P, "消息长度无效", "message length is invalid"),
        0x02: Result(_P, "命令长度无效", "command length is invalid"),
        0x03: Result(_P, "命令无效", "command is invalid"),
        0x04: Result(Action.CLOSE, "绑定状态不允许此命令", "command in the wrong bind state"),
        0x05: Result(_P, "已经绑定", "already bound"),
        0x06: Result(_P, "优先级无效", "priority flag is invalid"),
        0x07: Result(_P, "状态报告标志无效", "registered delivery is invalid"),
        0x08: Result(_R, "短信中心系统错误", "system error at the SMSC"),
        0x0A: Result(_P, "源地址无效", "source address is invalid"),
        0x0B: Result(_P, "目的地址无效", "destination address is invalid"),
        0x0C: Result(_P, "消息编号无效", "message id is invalid"),
        0x0D: Result(Action.CLOSE, "绑定失败", "bind failed"),
        0x0E: Result(Action.CLOSE, "密码无效", "password is invalid"),
        0x0F: Result(Action.CLOSE, "系统编号无效", "system id is invalid"),
        0x11: Result(_P, "取消失败", "cancel failed"),
        0x13: Result(_P, "替换失败", "replace failed"),
        0x14: Result(_T, "消息队列满", "message queue full"),
        0x15: Result(_P, "业务类型无效", "service type is invalid"),
        0x33: Result(_P, "目的地址数量无效", "number of destinations is invalid"),
        0x34: Result(_P, "群发列表名无效", "distribution list is invalid"),
        0x40: Result(_P, "目的地址标志无效", "destination flag is invalid"),
        0x42: Result(_P, "替换请求无效", "submit with replace is invalid"),
        0x43: Result(_P, "esm_class 无效", "esm_class is invalid"),
        0x44: Result(_P, "不能提交到群发列表", "cannot submit to the distribution list"),
        0x45: Result(_R, "提交失败", "submit failed"),
        0x48: Result(_P, "源地址类型无效", "source TON is invalid"),
        0x49: Result(_P, "源地址编码方案无效", "source NPI is invalid"),
        0x50: Result(_P, "目的地址类型无效", "destination TON is invalid"),
        0x51: Result(_P, "目的地址编码方案无效", "destination NPI is invalid"),
        0x53: Result(_P, "系统类型无效", "system type is invalid"),
        0x54: Result(_P, "替换标志无效", "replace flag is invalid"),
        0x55: Result(_P, "消息数量无效", "number of messages is invalid"),
        0x58: Result(_T, "流量超限", "throttled"),
        0x61: Result(_P, "定时发送时间无效", "scheduled time is invalid"),
        0x62: Result(_P, "有效期无效", "validity period is invalid"),
        0x63: Result(_P, "预定义消息无效", "predefined message is invalid"),
        0x64: Result(_R, "接收方暂时错误", "temporary error of the receiver"),
        0x65: Result(_P, "接收方永久错误", "permanent error of the receiver"),
        0x66: Result(_P, "接收方拒绝", "rejected by the receiver"),
        0x67: Result(_P, "查询失败", "query failed"),
        0xC0: Result(_P, "可选参数部分错误", "error in the optional parameters"),
        0xC1: Result(_P, "不允许的可选参数", "optional parameter not allowed"),
        0xC2: Result(_P, "可选参数长度无效", "length of an optional parameter"),
        0xC3: Result(_P, "缺少可选参数", "an optional parameter is missing"),
        0xC4: Result(_P, "可选参数值无效", "value of an optional parameter"),
        0xFE: Result(_P, "投递失败", "delivery failed"),
        0xFF: Result(_R, "未知错误", "unknown error"),
    }
)  # fmt: skip


def code_text(status: int) -> str:
    """A status as people write it: 0x58."""
    return f"0x{status:02x}"

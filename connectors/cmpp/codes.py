"""CMPP's results of a submit and of a login (cmpp.md A4, A9)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from connectors.readings import Result
from connectors.values import Action

_P, _R, _O = Action.PERMANENT, Action.RETRY, Action.OTHER_CHANNEL

RESULTS: Mapping[int, Result] = MappingProxyType(
    {
        0: Result(Action.NONE, "成功", "accepted"),
        1: Result(_P, "消息结构错", "message structure error"),
        2: Result(_P, "命令字错", "command error"),
        3: Result(_P, "消息序号重复", "duplicate sequence number"),
        4: Result(_P, "消息长度错", "message length error"),
        5: Result(_P, "资费代码错", "fee code error"),
        6: Result(_P, "超过最大信息长", "message too long"),
        7: Result(_P, "业务代码错", "service code error"),
        8: Result(Action.THROTTLE, "流量控制错", "flow control"),
        9: Result(_O, "本网关不负责服务此号码", "number not served by this gateway"),
        10: Result(_P, "源号码错误", "source number error"),
        11: Result(_P, "企业代码错误", "Msg_src error"),
        12: Result(_P, "计费号码错误", "fee number error"),
        13: Result(_P, "目的号码错误", "destination number error"),
        51: Result(_P, "尚未建立连接", "not connected"),
        52: Result(_P, "尚未成功登录", "not logged in"),
        53: Result(_R, "发送消息失败", "sending failed"),
        54: Result(_R, "超时未收到响应", "no response in time"),
        55: Result(_P, "等待状态报告超时", "no status report in time"),
        61: Result(_P, "有效时间已过期", "validity already over"),
        62: Result(_P, "定时发送时间已过期", "scheduled time already past"),
        63: Result(_P, "不能识别的资费类型", "unknown FeeType"),
        64: Result(_P, "发送源地址鉴权失败", "source address refused"),
        65: Result(_P, "发送目的地址鉴权失败", "destination address refused"),
        66: Result(_P, "地址鉴权失败", "address refused"),
        67: Result(_P, "地址鉴权失败", "address refused"),
        68: Result(_P, "用户鉴权失败", "user refused"),
        69: Result(_P, "号码在黑名单中", "number is blacklisted"),
        70: Result(_R, "网络断连或对端关闭", "link down at the gateway"),
        72: Result(_O, "找不到路由", "no route"),
        73: Result(_R, "等待响应超时", "gateway waited for a response"),
        76: Result(_P, "内容安全审核不通过", "refused by content check"),
        77: Result(_R, "提交数量过多", "too many submits"),
        80: Result(_P, "企业代码无效", "bad enterprise code"),
        82: Result(_P, "路由环路", "routing loop"),
        85: Result(_R, "业务管理平台忙", "service management busy"),
        250: Result(_R, "短信中心队列满", "SMSC queue full"),
    }
)  # fmt: skip

CONNECT_STATUS: Mapping[int, tuple[str, str]] = MappingProxyType(
    {
        0: ("正确", "ok"),
        1: ("消息结构错", "structure error"),
        2: ("非法源地址", "illegal source address"),
        3: ("认证错", "authentication error"),
        4: ("版本太高", "version too high"),
    }
)

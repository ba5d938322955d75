"""What carriers' codes mean and what to do about them (protocols/cmpp.md A9, A10).

Two tables: results of a submit, and stats of a status report. A code that no table knows is
permanent; a stat that no table knows is a final failure. The carrier's own code always travels
beside the reading, since meanings differ between gateways.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from connectors.values import Action


@dataclass(frozen=True, slots=True)
class Result:
    """A submit result: what to do, and the reading in Chinese and English."""

    action: Action
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Stat:
    """A report's stat. `final` is False for intermediate ones."""

    delivered: bool
    final: bool
    zh: str
    en: str


_P, _R, _O = Action.PERMANENT, Action.RETRY, Action.OTHER_CHANNEL

CMPP_RESULTS: Mapping[int, Result] = MappingProxyType(
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

_RESULTS: Mapping[str, Mapping[int, Result]] = MappingProxyType({"cmpp": CMPP_RESULTS})

_STATS: Mapping[str, Stat] = MappingProxyType(
    {
        "DELIVRD": Stat(True, True, "已送达", "delivered"),
        "EXPIRED": Stat(False, True, "超过有效期（关机或不在服务区）", "validity over"),
        "DELETED": Stat(False, True, "已被删除", "deleted"),
        "UNDELIV": Stat(False, True, "无法送达（停机、空号等）", "undeliverable"),
        "ACCEPTD": Stat(False, False, "短信中心已接收", "accepted by the SMSC"),
        "ENROUTE": Stat(False, False, "正在传送", "on its way"),
        "UNKNOWN": Stat(False, True, "状态未知", "unknown state"),
        "REJECTD": Stat(False, True, "被拒绝（黑名单、内容或策略）", "rejected"),
        "CB:0001": Stat(False, True, "号码无效", "invalid number"),
        "CB:0005": Stat(False, True, "预付费账户异常", "prepaid account abnormal"),
        "CB:0007": Stat(False, True, "余额不足", "insufficient balance"),
        "CB:0053": Stat(False, True, "用户不存在", "no such user"),
        "CA:0051": Stat(False, True, "尚未建立连接", "not connected"),
        "CA:0052": Stat(False, True, "尚未成功登录", "not logged in"),
        "CA:0054": Stat(False, True, "超时未收到响应", "timed out"),
    }
)

_FAMILIES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "MA": ("短信中心无响应", "SMSC gave no response"),
        "MB": ("短信中心返回错误", "SMSC answered with an error"),
        "MC": ("未收到短信中心状态报告", "no report from the SMSC"),
        "CA": ("计费平台无响应", "SCP gave no response"),
        "CB": ("计费平台返回错误", "SCP answered with an error"),
        "DA": ("业务管理平台无响应", "DSMP gave no response"),
        "DB": ("业务管理平台返回错误", "DSMP answered with an error"),
        "SA": ("企业系统无响应", "SP gave no response"),
        "SB": ("企业系统返回错误", "SP answered with an error"),
        "IA": ("下一级网关无响应", "next gateway gave no response"),
        "IB": ("下一级网关返回错误", "next gateway answered with an error"),
        "IC": ("未收到下一级网关状态报告", "no report from the next gateway"),
    }
)

_FAILED = Stat(False, True, "发送失败", "failed")
_UNREADABLE = Stat(False, False, "无法读取的状态报告", "unreadable report")


def result(protocol: str, code: int) -> Result:
    """The reading of a submit result; unknown codes are permanent."""
    known = _RESULTS[protocol].get(code)
    return known if known is not None else Result(_P, "网关自定义错误", "gateway's own code")


def stat(text: str) -> Stat:
    """The reading of a report's stat, given without padding."""
    known = _STATS.get(text)
    if known is not None:
        return known
    if not text:
        return _UNREADABLE
    family = _FAMILIES.get(text[:2]) if text[2:3] == ":" else None
    return Stat(False, True, *family) if family else _FAILED


def reason(code: str, *, protocol: str = "cmpp", chinese: bool = True) -> str:
    """One readable line for a result ("8") or a stat ("MB:1077"), the code itself included."""
    if not code:
        return ""
    number = int(code) if code.isascii() and code.isdigit() and len(code) <= 3 else None
    known = _RESULTS[protocol].get(number) if number is not None else None
    reading: Result | Stat = known if known is not None else stat(code)
    return f"{reading.zh} ({code})" if chinese else f"{reading.en} ({code})"

"""SMGP's status codes and the error codes of its reports (smgp.md 7, 8)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from connectors.readings import Result, Stat
from connectors.values import Action

_P, _R, _O = Action.PERMANENT, Action.RETRY, Action.OTHER_CHANNEL
_ROUTES = Result(_P, "路由管理错误", "route management error")

RESULTS: Mapping[int, Result] = MappingProxyType(
    {
        0: Result(Action.NONE, "成功", "accepted"),
        1: Result(Action.THROTTLE, "系统忙", "system busy"),
        2: Result(_R, "超过最大连接数", "too many connections"),
        10: Result(_P, "消息结构错", "message structure error"),
        11: Result(_P, "命令字错", "command error"),
        12: Result(_P, "序列号重复", "duplicate sequence number"),
        20: Result(_P, "IP地址错", "source address not allowed"),
        21: Result(_P, "认证错", "authentication error"),
        22: Result(_P, "版本太高", "version too high"),
        30: Result(_P, "非法消息类型", "illegal MsgType"),
        31: Result(_P, "非法优先级", "illegal Priority"),
        32: Result(_P, "非法资费类型", "illegal FeeType"),
        33: Result(_P, "非法资费代码", "illegal FeeCode"),
        34: Result(_P, "非法短消息格式", "illegal MsgFormat"),
        35: Result(_P, "非法时间格式", "illegal time format"),
        36: Result(_P, "非法短消息长度", "illegal MsgLength"),
        37: Result(_P, "有效期已过", "validity already over"),
        38: Result(_P, "非法查询类别", "illegal QueryType"),
        39: Result(_O, "路由错误", "routing error"),
        40: Result(_P, "非法包月费", "illegal FixedFee"),
        41: Result(_P, "非法更新类型", "illegal update type"),
        42: Result(_P, "非法路由编号", "illegal route id"),
        43: Result(_P, "非法服务代码", "illegal ServiceID"),
        44: Result(_P, "非法有效期", "illegal ValidTime"),
        45: Result(_P, "非法定时发送时间", "illegal AtTime"),
        46: Result(_P, "非法发送用户号码", "illegal SrcTermID"),
        47: Result(_P, "非法接收用户号码", "illegal DestTermID"),
        48: Result(_P, "非法计费用户号码", "illegal ChargeTermID"),
        49: Result(_P, "非法SP服务代码", "illegal SP code"),
        **dict.fromkeys(range(56, 73), _ROUTES),
        58: Result(_O, "没有匹配的路由", "no matching route"),
        73: Result(_P, "非法产品编号", "illegal MServiceID"),
        74: Result(_R, "当前时段不允许下发", "not allowed to send at this hour"),
        75: Result(_O, "超过日发送量", "daily quota exceeded"),
        76: Result(_P, "SP帐号已过期", "account expired"),
    }
)

_ERRORS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "001": ("用户不可及", "user unreachable"),
        "002": ("用户忙", "user busy"),
        "003": ("终端无此部件号", "no such part of the terminal"),
        "004": ("非法用户", "illegal user"),
        "005": ("用户在黑名单内", "user is blacklisted"),
        "006": ("系统错误", "system error"),
        "007": ("用户内存满", "handset memory full"),
        "008": ("非信息终端", "not a terminal for messages"),
        "009": ("数据错误", "data error"),
        "010": ("数据丢失", "data lost"),
        "999": ("未知错误", "unknown error"),
    }
)

STATS: Mapping[str, Stat] = MappingProxyType(
    {
        f"{stat}:{error}": Stat(False, True, *words)
        for stat in ("EXPIRED", "DELETED", "UNDELIV", "UNKNOWN", "REJECTD")
        for error, words in _ERRORS.items()
    }
)
"""A report's stat and error code as `report_stat` joins them."""

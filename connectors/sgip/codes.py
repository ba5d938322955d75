"""SGIP's results and the error codes of its reports, 1.2 and 1.3 (sgip.md 6)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from connectors.readings import Result, Stat
from connectors.values import Action

_P, _R, _O, _T = Action.PERMANENT, Action.RETRY, Action.OTHER_CHANNEL, Action.THROTTLE

RESULTS: Mapping[int, Result] = MappingProxyType(
    {
        0: Result(Action.NONE, "成功", "accepted"),
        1: Result(_P, "非法登录（用户名或口令错）", "illegal login"),
        2: Result(_R, "重复登录", "repeated login"),
        3: Result(_R, "连接过多", "too many connections"),
        4: Result(_P, "登录类型错", "wrong login type"),
        5: Result(_P, "参数格式错", "parameter format error"),
        6: Result(_O, "非法手机号码", "illegal phone number"),
        7: Result(_P, "消息ID错", "command error"),
        8: Result(_P, "信息长度错", "message length error"),
        9: Result(_P, "非法序列号", "illegal sequence number"),
        10: Result(_P, "非法操作GNS", "illegal GNS operation"),
        11: Result(_T, "节点忙", "node busy"),
        13: Result(_P, "业务代码未分配", "service code not assigned"),
        14: Result(_P, "资费类型或金额错", "fee type or amount error"),
        17: Result(_P, "LinkID不匹配", "LinkID mismatch"),
        18: Result(_P, "用户未订购", "user not subscribed"),
        19: Result(_P, "接收用户数只能为1", "only one recipient allowed"),
        21: Result(_R, "目的地址暂时不可达", "destination temporarily unreachable"),
        22: Result(_O, "路由错", "routing error"),
        23: Result(_O, "路由不存在", "no route"),
        24: Result(_P, "计费号码无效", "charge number invalid"),
        25: Result(_P, "用户不能通信（关机或不在服务区）", "user cannot be reached"),
        26: Result(_P, "手机内存不足", "handset memory full"),
        27: Result(_P, "手机不支持短消息", "handset does not support messages"),
        28: Result(_P, "手机接收时出现错误", "error while the handset received"),
        29: Result(_P, "不知道的用户", "unknown user"),
        30: Result(_P, "不提供此功能", "function not provided"),
        31: Result(_P, "非法设备", "illegal device"),
        32: Result(_R, "系统失败", "system failure"),
        33: Result(_T, "短信中心队列满或流量超限", "queue full or rate exceeded"),
        34: Result(_R, "每分钟登录次数过多", "too many logins a minute"),
        38: Result(_P, "超过LinkID允许的下发条数", "too many messages for the LinkID"),
        39: Result(_P, "第三方付费错", "third-party payer refused"),
        40: Result(_P, "不允许的MO标志", "MO flag not allowed"),
        43: Result(_P, "网页定购指令错", "web order command error"),
        44: Result(_P, "通知被拦截", "notice intercepted"),
        88: Result(_T, "流量控制", "throttled"),
        90: Result(_P, "数据包长度错", "packet length error"),
        93: Result(_P, "后付费鉴权失败", "postpaid authorisation failed"),
        94: Result(_P, "预付费扣款失败", "prepaid deduction failed"),
        95: Result(_P, "不在包月扣费时段", "outside the monthly bill window"),
    }
)

PREFIX = "SGIP"
"""A failure's stat is this, a colon and the report's ErrorCode."""

STATS: Mapping[str, Stat] = MappingProxyType(
    {
        PREFIX: Stat(False, True, "发送失败", "failed"),
        **{
            f"{PREFIX}:{code}": Stat(False, True, reading.zh, reading.en)
            for code, reading in RESULTS.items()
            if code
        },
    }
)

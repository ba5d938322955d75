"""What carriers' codes mean and what to do about them, for every protocol.

Results of a submit have a table for each protocol (`cmpp/codes.py` and so on), stats of a
status report one for all. A code that no table knows is permanent; a stat that no table knows
is a final failure. The carrier's own code always travels beside the reading, since meanings
differ between gateways.

As text a result is its decimal number, in SMPP hexadecimal with `0x`, as everybody writes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from connectors.cmpp import codes as cmpp
from connectors.readings import Result, Stat
from connectors.sgip import codes as sgip
from connectors.smgp import codes as smgp
from connectors.smpp import codes as smpp
from connectors.values import Action

RESULTS: Mapping[str, Mapping[int, Result]] = MappingProxyType(
    {
        "cmpp": cmpp.RESULTS,
        "sgip": sgip.RESULTS,
        "smgp": smgp.RESULTS,
        "smpp": smpp.RESULTS,
    }
)
"""By protocol and number."""

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
        "LIMIT": Stat(False, True, "超过发送频率限制", "sent too often"),
        "NOSEND": Stat(False, True, "网关未发送", "not sent by the gateway"),
        "HIGRISK": Stat(False, True, "被判为高风险而拦截", "refused as a high risk"),
        **sgip.STATS,
        **smgp.STATS,
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
        # Seen in the field, and used differently by each gateway: no more can be said for sure.
        "MI": ("短信中心或移动网络返回错误", "error of the SMSC or the mobile network"),
        "MK": ("短信中心或移动网络返回错误", "error of the SMSC or the mobile network"),
        "MN": ("短信中心或移动网络返回错误", "error of the SMSC or the mobile network"),
        "ID": ("网关或业务平台拒绝", "refused by a gateway or a service platform"),
        "HD": ("网关或业务平台拒绝", "refused by a gateway or a service platform"),
        "AP": ("网关或业务平台拒绝", "refused by a gateway or a service platform"),
        "AF": ("网关或业务平台拒绝", "refused by a gateway or a service platform"),
    }
)
"""By the letters before the colon: who made the code (cmpp.md A10)."""

_GATEWAYS = frozenset({"IA", "IB"})

_OWN_CODE = Result(Action.PERMANENT, "网关自定义错误", "gateway's own code")
_FAILED = Stat(False, True, "发送失败", "failed")
_UNREADABLE = Stat(False, False, "无法读取的状态报告", "unreadable report")


def result(protocol: str, code: int) -> Result:
    """The reading of a submit result; unknown codes are permanent."""
    return RESULTS[protocol].get(code, _OWN_CODE)


def stat(text: str) -> Stat:
    """The reading of a report's stat, given without padding.

    Of `UNDELIV:601`, a stat with a gateway's own code, it is that of the stat.
    """
    known = _STATS.get(text)
    if known is not None:
        return known
    if not text:
        return _UNREADABLE
    family, _, detail = text.partition(":")
    words = _FAMILIES.get(family)
    if words is not None:
        return _by_family(family, words, detail)
    return _STATS.get(family, _FAILED)


def _by_family(family: str, words: tuple[str, str], detail: str) -> Stat:
    """Where the next gateway answered, `detail` is a result of its submit."""
    known = cmpp.RESULTS.get(int(detail)) if detail.isascii() and detail.isdigit() else None
    if known is None or family not in _GATEWAYS:
        return Stat(False, True, *words)
    return Stat(False, True, f"{words[0]}：{known.zh}", f"{words[1]}: {known.en}")


def reason(code: str, *, chinese: bool = True) -> str:
    """One readable line for a report's stat ("MB:1077"), the code included."""
    if not code:
        return ""
    reading = stat(code)
    return f"{reading.zh} ({code})" if chinese else f"{reading.en} ({code})"


def result_reason(protocol: str, code: str, *, chinese: bool = True) -> str:
    """One readable line for a submit's result as text ("8", "0x58"), the code included; of a
    protocol without a table (web services have their own codes) the code alone."""
    table = RESULTS.get(protocol)
    number = _number(code)
    if table is None or number is None:
        return code
    reading = table.get(number, _OWN_CODE)
    return f"{reading.zh} ({code})" if chinese else f"{reading.en} ({code})"


def _number(code: str) -> int | None:
    try:
        return int(code, 16 if code.startswith("0x") else 10)
    except ValueError:
        return None

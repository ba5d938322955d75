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
    }
)

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
    family = _FAMILIES.get(text[:2]) if text[2:3] == ":" else None
    if family is not None:
        return Stat(False, True, *family)
    return _STATS.get(text.partition(":")[0], _FAILED)


def reason(code: str, *, protocol: str = "cmpp", chinese: bool = True) -> str:
    """One readable line for a result ("8", "0x58") or a stat ("MB:1077"), the code included."""
    if not code:
        return ""
    reading = _result(code, protocol) or stat(code)
    return f"{reading.zh} ({code})" if chinese else f"{reading.en} ({code})"


def _result(code: str, protocol: str) -> Result | None:
    if code.startswith("0x"):
        return _smpp_result(code)
    if code.isascii() and code.isdigit() and len(code) <= 3:
        return RESULTS[protocol].get(int(code))
    return None


def _smpp_result(code: str) -> Result | None:
    try:
        return smpp.RESULTS.get(int(code, 16), _OWN_CODE)
    except ValueError:
        return None

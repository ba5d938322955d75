"""Client of the hospital's SMS adapter, synchronous (`Client`) and asyncio (`AsyncClient`)."""

from his_sms.aio import AsyncClient
from his_sms.callbacks import Callback, CallbackRefused, CallbackVerifier
from his_sms.client import Client
from his_sms.errors import NoAnswer, Refused, SmsError, UnexpectedAnswer
from his_sms.retry import NEVER, Retry
from his_sms.sealing import ContentKey
from his_sms.signing import Basic, Hmac
from his_sms.values import (
    Account,
    Entry,
    Inbound,
    InboundPage,
    Message,
    Options,
    Pong,
    Receipt,
    ReceiptPage,
    Recipient,
    Result,
    Segment,
    SendReply,
)

__all__ = [
    "NEVER",
    "Account",
    "AsyncClient",
    "Basic",
    "Callback",
    "CallbackRefused",
    "CallbackVerifier",
    "Client",
    "ContentKey",
    "Entry",
    "Hmac",
    "Inbound",
    "InboundPage",
    "Message",
    "NoAnswer",
    "Options",
    "Pong",
    "Receipt",
    "ReceiptPage",
    "Recipient",
    "Refused",
    "Result",
    "Retry",
    "Segment",
    "SendReply",
    "SmsError",
    "UnexpectedAnswer",
]

"""Every refusal a caller can meet, by stable code.

Refusal                a request or one recipient is refused; carries a Code
StoreUnavailable       the store cannot commit now (a Refusal, STORE_UNAVAILABLE)
SpoolFull              capacity is used up (a Refusal, SPOOL_FULL)
"""

from __future__ import annotations

from enum import StrEnum

RETRY_AFTER_S = 5
"""When to come again to a store that is away or full."""


class Code(StrEnum):
    """Stable answer codes (contract.md, "Operations")."""

    OK = "OK"
    PARTIAL = "PARTIAL"
    AUTH_FAILED = "AUTH_FAILED"
    IP_DENIED = "IP_DENIED"
    CERT_DENIED = "CERT_DENIED"
    SIGNATURE_INVALID = "SIGNATURE_INVALID"
    DECRYPT_FAILED = "DECRYPT_FAILED"
    BAD_REQUEST = "BAD_REQUEST"
    BAD_NUMBER = "BAD_NUMBER"
    BAD_CONTENT = "BAD_CONTENT"
    TOO_LONG = "TOO_LONG"
    TEMPLATE_UNKNOWN = "TEMPLATE_UNKNOWN"
    BLACKLISTED = "BLACKLISTED"
    SENSITIVE_WORD = "SENSITIVE_WORD"
    DUPLICATE = "DUPLICATE"
    FREQUENCY_LIMIT = "FREQUENCY_LIMIT"
    QUOTA_EXCEEDED = "QUOTA_EXCEEDED"
    RATE_LIMITED = "RATE_LIMITED"
    NO_ROUTE = "NO_ROUTE"
    SPOOL_FULL = "SPOOL_FULL"
    STORE_UNAVAILABLE = "STORE_UNAVAILABLE"
    NOT_FOUND = "NOT_FOUND"
    INTERNAL = "INTERNAL"


class Refusal(Exception):
    """A request, or one recipient of it, is refused.

    `field` names the offending field as the caller wrote it (`recipients[3].mobile`),
    or is empty when the fault lies in no field. `description` never repeats a content,
    a secret or a whole number, because it is logged and sent back. `retry_after_s`: when it is
    worth trying again, 0 where nobody knows.
    """

    def __init__(
        self, code: Code, description: str, field: str = "", *, retry_after_s: int = 0
    ) -> None:
        super().__init__(f"{code}: {description}")
        self.code = code
        self.description = description
        self.field = field
        self.retry_after_s = retry_after_s


class StoreUnavailable(Refusal):
    """The store cannot commit now; nothing was accepted."""

    def __init__(self, description: str = "the store cannot be written now; try again") -> None:
        super().__init__(Code.STORE_UNAVAILABLE, description, retry_after_s=RETRY_AFTER_S)


class SpoolFull(Refusal):
    """As many messages wait as the configuration allows; nothing was accepted."""

    def __init__(self, capacity: int) -> None:
        super().__init__(
            Code.SPOOL_FULL,
            f"{capacity} messages are waiting, the configured capacity",
            retry_after_s=RETRY_AFTER_S,
        )

"""What can go wrong, as a tree; one class for each code of the contract.

SmsError
├── NoAnswer               nobody answered, or something in between did: the outcome is open
├── UnexpectedAnswer       what answered is no adapter: look at the address
└── Refused                the adapter says no; `code` says why
    ├── NotLetIn           AuthFailed, IpDenied, CertDenied, SignatureInvalid
    ├── NotPossible        BadRequest, BadNumber, BadContent, TooLong, TemplateUnknown, Blacklisted,
    │                      SensitiveWord, Duplicate, NoRoute, NotFound, DecryptFailed
    ├── Limited            FrequencyLimit, QuotaExceeded, RateLimited
    └── Unavailable        SpoolFull, StoreUnavailable, Internal

`retryable`: the same request may succeed later. The clients have then repeated it already, as
their `Retry` says; whoever repeats it once more does so with the error's `client_ref`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from his_sms.values import SendReply


class SmsError(Exception):
    """Anything that went wrong between this program and the adapter."""

    retryable: ClassVar[bool] = False

    def __init__(self, description: str) -> None:
        super().__init__(description)
        self.description = description
        self.client_ref: str | None = None
        """The reference that the request went out with, where it sends."""


class NoAnswer(SmsError):
    """No answer of the adapter came. A text may have been accepted: repeat with `client_ref`."""

    retryable = True

    def __init__(self, description: str, retry_after_s: float | None = None) -> None:
        super().__init__(description)
        self.retry_after_s = retry_after_s


class UnexpectedAnswer(SmsError):
    """The answer is none of an adapter."""


class Refused(SmsError):
    """The adapter refused. Decide by `code`, never by `description`. `reply`: the results of the
    single recipients, where all of them were refused."""

    def __init__(
        self,
        code: str,
        description: str,
        field: str | None = None,
        *,
        retry_after_s: float | None = None,
        reply: SendReply | None = None,
    ) -> None:
        super().__init__(description)
        self.code = code
        self.field = field
        self.retry_after_s = retry_after_s
        self.reply = reply

    def __str__(self) -> str:
        return f"{self.code}: {self.description}"


class NotLetIn(Refused):
    """The credentials, address or certificate were not accepted."""


class NotPossible(Refused):
    """The request cannot be carried out as it is: change it."""


class Limited(Refused):
    """A limit is reached; `retry_after_s` says when to come again, where that is known."""


class Unavailable(Refused):
    """The adapter cannot take anything now."""

    retryable = True


class AuthFailed(NotLetIn):
    """AUTH_FAILED"""


class IpDenied(NotLetIn):
    """IP_DENIED"""


class CertDenied(NotLetIn):
    """CERT_DENIED"""


class SignatureInvalid(NotLetIn):
    """SIGNATURE_INVALID"""


class BadRequest(NotPossible):
    """BAD_REQUEST"""


class BadNumber(NotPossible):
    """BAD_NUMBER"""


class BadContent(NotPossible):
    """BAD_CONTENT"""


class TooLong(NotPossible):
    """TOO_LONG"""


class TemplateUnknown(NotPossible):
    """TEMPLATE_UNKNOWN"""


class Blacklisted(NotPossible):
    """BLACKLISTED"""


class SensitiveWord(NotPossible):
    """SENSITIVE_WORD"""


class Duplicate(NotPossible):
    """DUPLICATE"""


class NoRoute(NotPossible):
    """NO_ROUTE"""


class NotFound(NotPossible):
    """NOT_FOUND"""


class DecryptFailed(NotPossible):
    """DECRYPT_FAILED"""


class FrequencyLimit(Limited):
    """FREQUENCY_LIMIT"""


class QuotaExceeded(Limited):
    """QUOTA_EXCEEDED"""


class RateLimited(Limited):
    """RATE_LIMITED"""

    retryable = True


class SpoolFull(Unavailable):
    """SPOOL_FULL"""


class StoreUnavailable(Unavailable):
    """STORE_UNAVAILABLE"""


class Internal(Unavailable):
    """INTERNAL"""


BY_CODE: dict[str, type[Refused]] = {
    str(kind.__doc__): kind
    for group in (NotLetIn, NotPossible, Limited, Unavailable)
    for kind in group.__subclasses__()
}
"""The class of each code; a code that is new to this version is a plain `Refused`."""

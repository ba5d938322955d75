"""The numbers of a channel: which one its texts bear, and which one a reply was written to."""

from __future__ import annotations

from adapter.config.model import Channel
from adapter.domain.states import AccessNumber


class Numbers:
    """The access number and its spare; for one event loop."""

    def __init__(self, channel: Channel) -> None:
        self._numbers = {AccessNumber.PRIMARY: channel.access_number}
        if channel.spare_number:
            self._numbers[AccessNumber.SPARE] = channel.spare_number
        # A number may begin like a shorter one.
        self._known = sorted(filter(None, self._numbers.values()), key=len, reverse=True)
        self._extends = channel.quirks.extension
        self.which = AccessNumber.PRIMARY

    @property
    def in_use(self) -> str:
        """What new texts bear."""
        return self._numbers[self.which]

    def sender(self, extension: str) -> str:
        """The number in use with an extension, or alone where the gateway wants it so."""
        return self.in_use + extension if self._extends else self.in_use

    def use(self, which: AccessNumber) -> bool:
        """Whether it is another one than before. The primary one, where there is no spare."""
        before, self.which = self.which, which if which in self._numbers else AccessNumber.PRIMARY
        return self.which is not before

    def written_to(self, destination: str) -> str:
        """Which of the numbers a text was sent to, also while the other is in use."""
        return next((number for number in self._known if number in destination), self.in_use)

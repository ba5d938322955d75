"""What can be wrong with a backup, in words for an administrator.

BackupError            the cause of all of them
  DamagedError         the file was cut off or changed
  WrongKeyError        it was made with another key
  RefusedError         it is good, and must not be loaded here
"""

from __future__ import annotations


class BackupError(Exception):
    """A backup cannot be made, read or loaded."""


class DamagedError(BackupError):
    """The file was cut off or changed, or never was a backup."""


class WrongKeyError(BackupError):
    """The file was made with another key."""


class RefusedError(BackupError):
    """The archive is good; loading it here would do harm."""

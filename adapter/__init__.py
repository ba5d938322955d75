"""The platform between hospital systems and mobile carriers."""

__version__ = "0.1.0"

"""Configurations written for one test."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

HEAD = '<adapter xmlns="urn:his-sms:config:1" xmlns:xi="http://www.w3.org/2001/XInclude">\n'

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes sections as adapter.xml (the first of them on line 2), or a whole file by name."""

    def _write(text: str, name: str = "adapter.xml", *, whole: bool = False) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text if whole else f"{HEAD}{text}\n</adapter>\n", encoding="utf-8")
        return path

    return _write

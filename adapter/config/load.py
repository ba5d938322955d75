"""Loading a configuration: all of its faults in one run, or frozen values.

The order: files and includes (`document`), secrets (`references`), schema, meaning
(`semantics`), values (`build`). Each step works on what the one before could read.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from adapter.config import references, semantics
from adapter.config.build import build
from adapter.config.document import Document
from adapter.config.faults import ConfigError, Fault
from adapter.config.model import Config
from adapter.config.schema import validate


def load(path: Path | str, environ: Mapping[str, str] | None = None) -> Config:
    """The configuration of a file. Raises ConfigError with every fault; warnings pass."""
    document, faults = _examine(Path(path), environ)
    if any(not fault.warning for fault in faults):
        raise ConfigError(faults)
    assert document.root is not None, "a file without a root has a fault"
    return build(document.root, document.path)


def check(path: Path | str, environ: Mapping[str, str] | None = None) -> list[Fault]:
    """Every fault and warning of a file, in the order of files and lines."""
    return _examine(Path(path), environ)[1]


def _examine(path: Path, environ: Mapping[str, str] | None) -> tuple[Document, list[Fault]]:
    document = Document(path)
    hidden = references.follow(document, os.environ if environ is None else environ)
    references.key_files(document)
    validate(document, hidden)
    semantics.examine(document, hidden)
    faults = {replace(f, message=hidden.masked(f.message)) for f in document.faults}
    return document, sorted(faults, key=lambda f: (f.file != path, f.file, f.line, f.message))

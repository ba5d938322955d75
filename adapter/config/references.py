"""Secrets referred to from attributes: `${env:NAME}`, `${file:PATH}`, `{enc:...}`.

They are replaced before the schema is applied, so a reference may stand for any attribute or a
part of one. What came out of a reference is never looked into again, and is never shown in a
fault. The text of a template is no attribute: its `${name}` stays.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lxml import etree

from adapter.config.document import NAMESPACE, Document
from adapter.config.scalars import collapsed
from adapter.security.secrets import SecretError, decrypt, is_exposed, read_key

_REFERENCE = re.compile(
    r"\$\{env:(?P<env>[^}]*)\}|\$\{file:(?P<file>[^}]*)\}|(?P<enc>\{enc:[^}]*\})"
)
_STRAY = re.compile(r"\$\{|\{enc:")
_MAX_FILE_OCTETS = 64_000
_SHORTEST_SECRET = 4

Attribute = tuple[etree._Element, str]


@dataclass(frozen=True, slots=True)
class Hidden:
    """The attributes that held a reference, and the `values` that came out of them.

    One that `failed` keeps what was written and says nothing about the value.
    """

    opened: set[Attribute] = field(default_factory=set)
    failed: set[Attribute] = field(default_factory=set)
    values: set[str] = field(default_factory=set)

    def __contains__(self, attribute: Attribute) -> bool:
        return attribute in self.opened or attribute in self.failed

    def masked(self, message: str) -> str:
        """A message without the values. What is shorter than four characters is no secret."""
        for value in sorted(self.values, key=len, reverse=True):
            if len(value) >= _SHORTEST_SECRET:
                message = message.replace(value, "***")
        return message


class _UnopenedError(Exception):
    """A reference cannot be followed; the message is for the administrator."""


def follow(document: Document, environ: Mapping[str, str] = os.environ) -> Hidden:
    """Replace every reference in the tree; one that cannot be followed is a fault."""
    hidden = Hidden()
    if document.root is None:
        return hidden
    references = _References(document, environ)
    for element in document.root.iter(etree.Element):
        for name, written in list(element.attrib.items()):
            if _STRAY.search(str(written)):
                opened = references.replace(element, str(name), str(written))
                (hidden.opened if opened else hidden.failed).add((element, str(name)))
    for value in references.values:
        hidden.values.update((value, collapsed(value)))
    return hidden


class _References:
    def __init__(self, document: Document, environ: Mapping[str, str]) -> None:
        self._document = document
        self._environ = environ
        self._folder = document.path.resolve().parent
        self.values: set[str] = set()
        self._key: bytes | None = None
        self._key_looked_for = False

    def replace(self, element: etree._Element, name: str, written: str) -> bool:
        """Whether all references of an attribute could be followed."""
        try:
            rest = _REFERENCE.sub("", written)
            if _STRAY.search(rest):
                raise _UnopenedError(
                    "a reference is written ${env:NAME}, ${file:PATH} or {enc:...}"
                )
            element.set(name, _REFERENCE.sub(self._value, written))
            return True
        except _UnopenedError as e:
            self._document.fault(element, f"{name}: {e}", name)
        except ValueError:
            self._document.fault(
                element, f"{name}: the secret holds characters that cannot be used", name
            )
        return False

    def _value(self, reference: re.Match[str]) -> str:
        if reference["env"] is not None:
            value = self._from_environment(reference["env"])
        elif reference["file"] is not None:
            value = self._from_file(reference["file"])
        else:
            value = self._decrypted(reference["enc"])
        self.values.add(value)
        return value

    def _from_environment(self, name: str) -> str:
        try:
            return self._environ[name]
        except KeyError:
            raise _UnopenedError(
                f"the environment variable {name} is not set (${{env:{name}}})"
            ) from None

    def _from_file(self, name: str) -> str:
        try:
            with (self._folder / name).open("rb") as file:
                octets = file.read(_MAX_FILE_OCTETS + 1)
            if len(octets) > _MAX_FILE_OCTETS:
                raise _UnopenedError(f"the file {name} is too long for a secret")
            return octets.decode("utf-8").rstrip("\r\n")
        except UnicodeDecodeError:
            raise _UnopenedError(f"the file {name} is not in UTF-8") from None
        except OSError as e:
            raise _UnopenedError(f"the file {name} cannot be read: {e.strerror or e}") from None

    def _decrypted(self, envelope: str) -> str:
        if not self._key_looked_for:
            self._key_looked_for = True
            self._key = self._load_key()
        if self._key is None:
            raise _UnopenedError(
                "{enc:...} cannot be opened without the key: see key-file of <security>"
            )
        try:
            return decrypt(self._key, envelope)
        except SecretError as e:
            raise _UnopenedError(str(e)) from None

    def _load_key(self) -> bytes | None:
        """A key file that cannot be used is reported by `key_files`, once."""
        root = self._document.root
        assert root is not None
        for _element, path in _key_paths(root, self._folder):
            try:
                return read_key(path)
            except SecretError:
                return None
        return None


def key_files(document: Document) -> None:
    """Note a fault for a key file that cannot be used, a warning for one that others may read."""
    if document.root is None:
        return
    for element, path in _key_paths(document.root, document.path.resolve().parent):
        try:
            read_key(path)
        except SecretError as e:
            document.fault(element, f"key-file: {path} {e}", "key-file")
            continue
        if is_exposed(path):
            document.fault(
                element,
                f"key-file: others than the owner may read {path}; cure: chmod 600",
                "key-file",
                warning=True,
            )


def _key_paths(root: etree._Element, folder: Path) -> Iterator[tuple[etree._Element, Path]]:
    for element in root.iter(f"{{{NAMESPACE}}}security"):
        if name := element.get("key-file"):
            yield element, folder / name

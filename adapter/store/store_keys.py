"""The keys of a store: made, read, wrapped anew, and removed.

A store begins with key 0, which is none: its rows may stand in clear. Where a master key is
configured, a node that takes the store makes key 1 and seals from then on; the newest key seals,
each of the others opens until nothing is under it any more (`adapter.jobs.reseal`).

A master key is replaced by naming the new one first in the configuration: whatever was wrapped by
another of them is wrapped by the first at the next start. The rows are not touched.

    SealError    the store can't be read with the keys of the configuration; says what is missing
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, Engine, delete, exists, select, update

from adapter.security.data_keys import DataKey, name_of, new_wrapped, unwrap, wrap
from adapter.security.secrets import SecretError
from adapter.store.clock import now_ms
from adapter.store.engine import write_connection
from adapter.store.schema import (
    inbound,
    inbound_part,
    message,
    receipt,
    store_key,
    submission,
    submit_part,
)
from adapter.store.sealing import PLAIN_KEY, Seal, attach

_SEALED = (submission, message, receipt, inbound, inbound_part, submit_part)


class SealError(Exception):
    """The store is sealed, and the keys of the configuration do not open it."""


class StoredKey(NamedTuple):
    """A row of `store_key`."""

    id: int
    wrapped: str | None
    master: str | None
    made_at: int


def read(connection: Connection) -> list[StoredKey]:
    """The keys of the store, oldest first."""
    rows = connection.execute(select(store_key).order_by(store_key.c.id))
    return [StoredKey(*row) for row in rows]


def prepare(engine: Engine, masters: Sequence[bytes]) -> None:
    """For the store's owner, at its start: make the first key, and wrap by the first of `masters`
    what another one wrapped. Does nothing without a master key. Raises SealError."""
    if not masters:
        return
    with write_connection(engine) as connection, connection.begin():
        found = read(connection)
        opened = _opened(found, masters)
        if not opened:
            _make(connection, found, masters[0])
            if not _has_rows(connection):
                forget(connection, [PLAIN_KEY])
        for each in found:
            if each.id in opened and each.master != name_of(masters[0]):
                connection.execute(
                    update(store_key)
                    .where(store_key.c.id == each.id)
                    .values(
                        wrapped=wrap(masters[0], each.id, opened[each.id]),
                        master=name_of(masters[0]),
                    )
                )


def open_seal(
    engine: Engine, masters: Sequence[bytes], unreadable: Callable[[], None] = lambda: None
) -> Seal:
    """The seal of a store, which the engine's connections know from now on. Raises SealError."""
    with engine.connect() as connection:
        found = read(connection)
    seal = Seal(*_usable(found, masters), unreadable)
    attach(engine, seal)
    return seal


def check(connection: Connection, masters: Sequence[bytes]) -> None:
    """Whether these master keys open the store. Raises SealError."""
    _opened(read(connection), masters)


def renew(seal: Seal, found: Sequence[StoredKey], masters: Sequence[bytes]) -> None:
    """Have a seal use the keys that were `found` now. Raises SealError."""
    seal.use(*_usable(found, masters))


def make(engine: Engine, masters: Sequence[bytes]) -> StoredKey:
    """Make the next key: a running node seals with it within seconds. Raises SealError."""
    if not masters:
        raise SealError(_NO_MASTER)
    with write_connection(engine) as connection, connection.begin():
        found = read(connection)
        # Who cannot open the store must not lock out those who can.
        _opened(found, masters)
        return _make(connection, found, masters[0])


def forget(connection: Connection, keys: Iterable[int]) -> None:
    """Remove keys that nothing is under any more."""
    connection.execute(delete(store_key).where(store_key.c.id.in_(list(keys))))


_NO_MASTER = (
    'there is no key: name one in <security><store-key key="${file:store.key}"/></security> '
    "(sms-adapter init makes one)"
)


def _make(connection: Connection, found: Sequence[StoredKey], master: bytes) -> StoredKey:
    number = 1 + max((each.id for each in found), default=PLAIN_KEY)
    made = StoredKey(number, new_wrapped(master, number), name_of(master), now_ms())
    connection.execute(store_key.insert().values(**made._asdict()))
    return made


def _usable(
    found: Sequence[StoredKey], masters: Sequence[bytes]
) -> tuple[dict[int, DataKey], list[int]]:
    """The keys by number, and which are live."""
    keys = {number: DataKey(octets) for number, octets in _opened(found, masters).items()}
    return keys, [each.id for each in found] or [PLAIN_KEY]


def _opened(found: Sequence[StoredKey], masters: Sequence[bytes]) -> dict[int, bytes]:
    opened: dict[int, bytes] = {}
    for each in found:
        if each.wrapped is None:
            continue
        try:
            opened[each.id] = unwrap(masters, each.id, each.wrapped)
        except SecretError:
            ours = ", ".join(map(name_of, masters)) or "none"
            raise SealError(
                f"the store is sealed: its data key {each.id} opens with the store key named "
                f"{each.master}, the configuration has {ours}; bring that key back in "
                "<security><store-key/></security>, without it the contents are lost"
            ) from None
    return opened


def _has_rows(connection: Connection) -> bool:
    return any(connection.execute(select(exists(select(t.c.id)))).scalar_one() for t in _SEALED)

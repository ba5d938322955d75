"""The tables, and what each one owns.

A message moves through three small tables, and the row is the right to act:

    spool     waits for a channel. Whoever deletes the row owns the message: an attempt,
              a cancel and an expiry all begin by deleting it, so only one of them wins.
    attempt   was given to a link; its outcome is not recorded yet. Rows that outlive
              their process or link are in doubt (`doubt_at`).
    segment   was answered by the carrier, one row for each PDU; its receipt lands here.

`message.state` is ACCEPTED until it is final, once; where an open message stands follows
from the table that holds it. `notification` rows are states and inbound texts on their
way home, deleted when they arrived. `tally` rows are what the statistics have to learn,
written in the transaction of the change itself, folded later by a job.

Moments are integers: milliseconds since 1970-01-01 UTC, the same in every dialect, and
comparable with the clock inside the ids. Empty text is stored as '' and never asked for
(Oracle reads it as NULL): what may be absent is nullable.

Contents, refusals and numbers are sealed (`adapter.store.sealing`) where the store has a key; then
`mobile_key` finds a number. Of the two indexes over numbers a row is in the one that it needs.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    text,
)

metadata = MetaData()

# A number of 32 characters, sealed. SQLite keeps no lengths: its columns stay as they were made.
_MOBILE = String(256).with_variant(String(20), "sqlite")
_PHONE = String(256).with_variant(String(32), "sqlite")


def _by_number(table: str, *further: str) -> tuple[Index, Index]:
    """Rows by number: sealed ones, and those in clear."""
    sealed, plain = text("mobile_key IS NOT NULL"), text("mobile_key IS NULL")
    return (
        Index(f"{table}_number", "mobile_key", *further, postgresql_where=sealed,
              sqlite_where=sealed),
        Index(f"{table}_mobile", "mobile", *further, postgresql_where=plain, sqlite_where=plain),
    )  # fmt: skip


# Rows of these two are updated soon after they were written: room on the page lets PostgreSQL do
# that without touching an index. Under load all rows of a page change in one transaction, so each
# needs as much again; with less, three of four updates wrote to all indexes, which then grew.
_ROOM = {"fillfactor": "50"}

_NAMED = text("business_key IS NOT NULL")

submission = Table(
    "submission",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("client", String(64), nullable=False),
    Column("door", String(16), nullable=False),
    Column("source", String(64)),
    Column("client_ref", String(64)),
    Column("ref_key", String(200)),
    Column("business", String(32), nullable=False),
    Column("lane", String(16), nullable=False),
    Column("content", Text),
    Column("extension", String(20)),
    Column("pass_through", String(200)),
    Column("business_key", String(64)),
    Column("receipt", Boolean, nullable=False),
    Column("accepted_at", BigInteger, nullable=False),
    Column("due_at", BigInteger, nullable=False),
    Column("expire_at", BigInteger, nullable=False),
    Column("refusals", Text),
    # A request repeated after a time-out must never be accepted twice.
    Index("submission_ref", "ref_key", unique=True),
    # Cancel and replace by business key, which few have.
    Index(
        "submission_business",
        "business_key",
        "client",
        postgresql_where=_NAMED,
        sqlite_where=_NAMED,
    ),
    # Search by client and time.
    Index("submission_client", "client", "id"),
)

# How far a submission has come whose recipients are uploaded portion by portion: entries seen,
# refused ones included, and messages made of them.
upload = Table(
    "upload",
    metadata,
    Column("submission_id", BigInteger, primary_key=True, autoincrement=False),
    Column("entries", Integer, nullable=False),
    Column("accepted", Integer, nullable=False),
)

# Submissions of which messages are here, and which are not accepted yet.
staged = Table(
    "staged",
    metadata,
    Column("submission_id", BigInteger, primary_key=True, autoincrement=False),
)

message = Table(
    "message",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("submission_id", BigInteger, nullable=False),
    Column("ref", String(64)),
    Column("mobile", _MOBILE, nullable=False),
    Column("carrier", String(16), nullable=False),
    Column("content", Text),
    Column("segments", SmallInteger, nullable=False),
    Column("state", String(12), nullable=False),
    Column("code", String(32)),
    Column("channel", String(64)),
    Column("in_doubt", Boolean, nullable=False),
    Column("submitted_at", BigInteger),
    Column("done_at", BigInteger),
    Column("mobile_key", BigInteger),
    # A submission's answer and progress, and search by client.
    Index("message_submission", "submission_id", "id"),
    # Search by number, and the message that a reply answers: the newest one.
    *_by_number("message", "id"),
    postgresql_with=_ROOM,
)

# Messages that ended otherwise than delivered. An index on `message.state` would answer the same
# question, but every message would pay for it: PostgreSQL writes to all indexes of a row whose
# indexed columns change.
not_delivered = Table(
    "not_delivered",
    metadata,
    Column("message_id", BigInteger, primary_key=True, autoincrement=False),
    Column("client", String(64), nullable=False),
    Column("state", String(12), nullable=False),
    # Search by state, and by client and state.
    Index("not_delivered_state", "state", "message_id"),
    Index("not_delivered_client", "client", "state", "message_id"),
)

spool = Table(
    "spool",
    metadata,
    Column("message_id", BigInteger, primary_key=True, autoincrement=False),
    Column("carrier", String(16), nullable=False),
    Column("lane", String(16), nullable=False),
    Column("client", String(64), nullable=False),
    Column("due_at", BigInteger, nullable=False),
    Column("expire_at", BigInteger, nullable=False),
    Column("tries", SmallInteger, nullable=False),
    Column("in_doubt", Boolean, nullable=False),
    Column("parts", String(200)),
    # How many of the tries never reached the wire.
    Column("unsent", Integer, nullable=False, server_default="0"),
    # Channels whose carrier asked for another one.
    Column("avoid", String(500)),
    # The dispatcher reads one client's share of a lane in the order it is due.
    Index("spool_queue", "carrier", "lane", "client", "due_at", "message_id"),
)

attempt = Table(
    "attempt",
    metadata,
    Column("message_id", BigInteger, primary_key=True, autoincrement=False),
    Column("number", SmallInteger, nullable=False),
    Column("channel", String(64), nullable=False),
    Column("parts", String(200)),
    Column("in_doubt", Boolean, nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("doubt_at", BigInteger),
    Column("settle_at", BigInteger),
    Column("unsent", Integer, nullable=False, server_default="0"),
)

segment = Table(
    "segment",
    metadata,
    Column("message_id", BigInteger, primary_key=True, autoincrement=False),
    Column("attempt", SmallInteger, primary_key=True, autoincrement=False),
    Column("number", SmallInteger, primary_key=True, autoincrement=False),
    Column("channel", String(64), nullable=False),
    Column("carrier_id", String(64)),
    Column("code", String(32)),
    Column("state", String(12), nullable=False),
    Column("submitted_at", BigInteger, nullable=False),
    Column("receipt_code", String(32)),
    Column("receipt_at", BigInteger),
    # A receipt finds its segment. Not unique: carriers reuse ids after a year.
    Index("segment_carrier_id", "carrier_id"),
    postgresql_with=_ROOM,
)

receipt = Table(
    "receipt",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("channel", String(64), nullable=False),
    Column("carrier_id", String(64), nullable=False),
    Column("mobile", _PHONE),
    Column("code", String(32), nullable=False),
    Column("delivered", Boolean, nullable=False),
    Column("state", String(12), nullable=False),
    Column("submitted", String(20)),
    Column("done", String(20)),
    Column("received_at", BigInteger, nullable=False),
    Column("mobile_key", BigInteger),
    # A submit result looks for the receipt that overtook it.
    Index("receipt_carrier_id", "carrier_id"),
    # Settlement looks for receipts that fit a message in doubt.
    *_by_number("receipt"),
)

inbound = Table(
    "inbound",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("channel", String(64), nullable=False),
    Column("mobile", _PHONE, nullable=False),
    Column("content", Text),
    Column("access_number", String(32), nullable=False),
    Column("extension", String(20)),
    Column("client", String(64)),
    Column("message_id", BigInteger),
    Column("received_at", BigInteger, nullable=False),
    Column("mobile_key", BigInteger),
    *_by_number("inbound", "id"),
)

# Parts of long texts from phones, until the last one comes or the wait for it is over.
# `content` is a JSON string: half of a surrogate pair is no text for a database.
inbound_part = Table(
    "inbound_part",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("channel", String(64), nullable=False),
    Column("mobile", _PHONE, nullable=False),
    Column("access_number", String(32), nullable=False),
    Column("extension", String(20)),
    Column("reference", Integer, nullable=False),
    Column("total", SmallInteger, nullable=False),
    Column("number", SmallInteger, nullable=False),
    Column("content", Text, nullable=False),
    Column("received_at", BigInteger, nullable=False),
    Column("mobile_key", BigInteger),
    # A part looks for its companions.
    *_by_number("inbound_part", "reference"),
)

# Parts of long texts from CMPP clients, answered and waiting for the rest.
submit_part = Table(
    "submit_part",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("client", String(64), nullable=False),
    Column("part_key", String(64), nullable=False),
    Column("number", SmallInteger, nullable=False),
    Column("total", SmallInteger, nullable=False),
    Column("content", Text, nullable=False),
    Column("received_at", BigInteger, nullable=False),
    # A part looks for its companions.
    Index("submit_part_key", "part_key"),
)

# Texts and parts that came, by what a carrier repeats when our answer got lost.
arrival = Table(
    "arrival",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("channel", String(64), nullable=False),
    Column("arrival_key", String(64), nullable=False),
    # A text must never be kept twice, even by a commit that was believed lost.
    Index("arrival_key", "arrival_key", "channel", unique=True),
)

notification = Table(
    "notification",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("destination", String(80), nullable=False),
    Column("message_id", BigInteger),
    Column("inbound_id", BigInteger),
    Column("state", String(12)),
    Column("code", String(32)),
    Column("channel", String(64)),
    Column("submitted_at", BigInteger),
    Column("done_at", BigInteger),
    # Each destination reads its own, oldest first.
    Index("notification_destination", "destination", "id"),
)

# Notices that a client's callback did not take in time, as they were, and why. One that is
# replayed is a notification again, and stays here until it has arrived: its age counts from
# `replayed_at`.
dead_letter = Table(
    "dead_letter",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("destination", String(80), nullable=False),
    Column("message_id", BigInteger),
    Column("inbound_id", BigInteger),
    Column("state", String(12)),
    Column("code", String(32)),
    Column("channel", String(64)),
    Column("submitted_at", BigInteger),
    Column("done_at", BigInteger),
    Column("died_at", BigInteger, nullable=False),
    Column("reason", String(200)),
    Column("replayed_at", BigInteger),
    # Those of a client are listed, counted and replayed.
    Index("dead_letter_destination", "destination", "id"),
)

# What operators set at run time; a setting that is not there has its usual value.
channel_setting = Table(
    "channel_setting",
    metadata,
    Column("channel", String(64), primary_key=True),
    Column("name", String(32), primary_key=True),
    Column("value", String(64), nullable=False),
    Column("changed_at", BigInteger, nullable=False),
)

# Words that clients use once (adapter.store.nonces).
nonce = Table(
    "nonce",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("until", BigInteger, nullable=False),
    # What has lost its use is forgotten.
    Index("nonce_until", "until"),
)

_COUNTED = ("client", "business", "door", "channel", "carrier", "state")


def _counted() -> list[Column[str]]:
    return [Column(name, String(64), nullable=False) for name in _COUNTED]


def _sums() -> list[Column[int]]:
    return [
        Column("messages", BigInteger, nullable=False),
        Column("segments", BigInteger, nullable=False),
    ]


# `hour` is the hour in which the message was accepted, in hours since 1970-01-01 UTC; a
# state counts the messages of that hour that ever reached it. '-' stands for "none yet".
tally = Table(
    "tally",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("hour", Integer, nullable=False),
    *_counted(),
    *_sums(),
)

statistics_hour = Table(
    "statistics_hour",
    metadata,
    Column("hour", Integer, primary_key=True, autoincrement=False),
    *[Column(name, String(64), primary_key=True) for name in _COUNTED],
    *_sums(),
)

# `day` is YYYYMMDD in the hospital's time zone.
statistics_day = Table(
    "statistics_day",
    metadata,
    Column("day", Integer, primary_key=True, autoincrement=False),
    *[Column(name, String(64), primary_key=True) for name in _COUNTED],
    *_sums(),
)

# One row: the node that works on the store. See `adapter.store.ownership`.
ownership = Table(
    "ownership",
    metadata,
    Column("epoch", BigInteger, primary_key=True, autoincrement=False),
    Column("node", String(64), nullable=False),
    Column("since", BigInteger, nullable=False),
)

# The keys that seal values: `wrapped` by the master key called `master`. Key 0 is no key: while it
# is there, so may be rows in clear. See `adapter.store.store_keys`.
store_key = Table(
    "store_key",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("wrapped", String(200)),
    Column("master", String(16)),
    Column("made_at", BigInteger, nullable=False),
)

# How far a source that goes by a growing key has come. See `dbpoll.feeds.watermark`.
watermark = Table(
    "watermark",
    metadata,
    Column("source", String(64), primary_key=True),
    Column("mark", String(128), nullable=False),
    Column("changed_at", BigInteger, nullable=False),
)

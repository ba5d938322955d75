"""How a channel cuts: what intake counted, what goes out, and what is told of it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from adapter.config.model import Channel, Quirks, Smpp
from adapter.dispatch.cutting import Cutter
from adapter.domain.values import WHOLE, Waiting
from adapter.intake.content import Texts
from connectors.codings import COMPLETE, WORDS
from connectors.values import Coding
from connectors.web.settings import Call, Submission, WebSettings
from tests.dispatch.memory_spool import waiting

CONTENTS = st.text(st.sampled_from("aé院😀[\n"), min_size=1, max_size=300)
ENCODINGS = st.lists(st.sampled_from(list(WORDS)), unique=True).filter(COMPLETE.intersection)


def channel(encodings: Sequence[str], long_reference: int = 8) -> Channel:
    quirks = Quirks(long_reference=long_reference)
    return Channel("a", "smpp", "3.4", "", 0, "", "", "1069", encodings=encodings, quirks=quirks)


def cutter(*encodings: str) -> Cutter:
    return Cutter(channel(encodings))


def holding(content: str, segments: int, parts: tuple[int, ...] = ()) -> Waiting:
    made = waiting()
    message = structs.replace(made.message, content=content, segments=segments)
    return structs.replace(made, message=message, parts=parts)


CHANNELS = st.builds(channel, ENCODINGS, st.sampled_from([8, 16]))


@given(CONTENTS, st.lists(CHANNELS, min_size=1, max_size=3))
def test_no_channel_sends_more_than_was_promised(content: str, channels: list[Channel]) -> None:
    """Whichever of the channels that intake knew sends: at most so many segments, and where
    there are fewer, that is what will be stored."""
    promised = Texts("", 255).segments(content, tuple(each.manner for each in channels))
    for each in channels:
        own = Cutter(each)
        sized, split = own.cut(holding(content, promised))
        sent = len(split.payloads)
        assert sent == sized.message.segments <= promised
        assert sized.recounted == (sent != promised)


@given(CONTENTS, ENCODINGS, ENCODINGS, st.integers(1, 6))
def test_what_is_stored_is_what_goes_out(
    content: str, before: list[str], now: list[str], part: int
) -> None:
    """Also after another channel, or another configuration, sent a part of it."""
    first, _ = cutter(*before).cut(holding(content, 1))
    part = min(part, first.message.segments)
    left = structs.replace(first, parts=(part,), recounted=False)
    again, split = cutter(*now).cut(left)
    assert len(split.payloads) == again.message.segments
    assert again.recounted == (again.message.segments != first.message.segments)
    assert again.parts == (() if again.recounted else (part,))


def test_a_message_partly_out_is_cut_as_before_where_that_can_be() -> None:
    own = cutter("gsm7", "ucs2")
    text = "a" * 160
    assert own.cut(holding(text, 3))[1].coding is Coding.GSM
    again, split = own.cut(holding(text, 3, parts=(2, 3)))
    assert (again.message.segments, again.parts, again.recounted) == (3, (2, 3), False)
    assert split.coding is Coding.UCS2


def test_a_text_that_nothing_carries_is_not_cut() -> None:
    with pytest.raises(ValueError, match="none of the codings"):
        cutter("gsm7").cut(holding("院", 1))


@pytest.mark.parametrize(
    "channel",
    [
        Channel(
            "a", "http", "", "", 0, "", "", "1069",
            provider=WebSettings("a", Submission(Call("http://provider/"))),
        ),
        Channel("a", "smpp", "3.4", "", 0, "", "", "1069", smpp=Smpp(long_texts="payload")),
    ],
)  # fmt: skip
def test_a_carrier_that_splits_gets_a_long_text_whole_and_all_segments_count(
    channel: Channel,
) -> None:
    own = Cutter(channel)
    long, split = own.cut(holding("院" * 100, 2))
    assert (long.parts, long.message.segments, long.recounted) == ((WHOLE,), 2, False)
    assert [each.decode("utf-16-be") for each in split.payloads] == ["院" * 100]
    assert not split.udh
    assert own.cut(holding("院", 1))[0].parts == ()
    # Another channel takes it over, and cuts it.
    again, split = cutter("ucs2").cut(long)
    assert again.parts == ()
    assert len(split.payloads) == 2

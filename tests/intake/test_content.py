"""Templates, signature, checks and counting of a content."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.config import model
from adapter.domain.errors import Code, Refusal
from adapter.domain.values import Entry, Request
from adapter.intake.content import Template, Texts, Wording, templates
from connectors.codings import WORDS
from connectors.splitting import Manner, split
from connectors.values import Coding

VISIT = Template(model.Template("visit", "${name}，请于${time}就诊，${name}"))


def refusal(action: Callable[[], object]) -> tuple[Code, str]:
    with pytest.raises(Refusal) as caught:
        action()
    return caught.value.code, caught.value.description


def texts(signature: str = "某某医院", max_segments: int = 10) -> Texts:
    return Texts(signature, max_segments)


def test_a_template_is_filled_in() -> None:
    assert VISIT.render({"name": "李明", "time": "14:30"}) == "李明，请于14:30就诊，李明"


def test_a_value_is_never_filled_in_again() -> None:
    rendered = VISIT.render({"name": "${time} $time $$ {name}", "time": "14:30"})
    assert rendered == "${time} $time $$ {name}，请于14:30就诊，${time} $time $$ {name}"


def test_dollars_and_braces_that_are_no_field_stay() -> None:
    assert Template(model.Template("t", "$5 {x} ${ ${a}")).render({"a": "b"}) == "$5 {x} ${ b"


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"name": "x"}, "the template needs a value 'time'"),
        ({}, "the template needs a value 'name'"),
        ({"name": "x", "time": "y", "ward": "3"}, "the template has no field 'ward'"),
        ({"name": "x", "time": "y", "w" * 99: ""}, f"the template has no field '{'w' * 32}'"),
    ],
)
def test_values_and_fields_must_fit(values: Mapping[str, str], reason: str) -> None:
    assert refusal(lambda: VISIT.render(values)) == (Code.BAD_CONTENT, reason)


_NAMES = st.from_regex(r"[a-zA-Z_\u4e00-\u4e10]{1,8}", fullmatch=True)


@given(
    st.lists(st.tuples(st.text(st.characters(exclude_characters="$")), _NAMES)),
    st.text(st.characters(exclude_characters="$")),
    st.data(),
)
def test_what_stands_around_the_fields_is_kept(
    pieces: list[tuple[str, str]], end: str, data: st.DataObject
) -> None:
    values = {name: data.draw(st.text()) for _, name in pieces}
    written = "".join(f"{literal}${{{name}}}" for literal, name in pieces) + end
    expected = "".join(literal + values[name] for literal, name in pieces) + end
    assert Template(model.Template("t", written)).render(values) == expected


def test_the_signature_stands_in_front_once() -> None:
    assert texts().finish("您好") == "【某某医院】您好"
    assert texts().finish("【某某医院】您好") == "【某某医院】您好"
    assert texts("").finish("您好") == "您好"


@pytest.mark.parametrize("content", ["", " ", "\r\n\t", "\u3000", "【某某医院】", "【某某医院】 "])
def test_an_empty_content_is_refused(content: str) -> None:
    assert refusal(lambda: texts().finish(content)) == (
        Code.BAD_CONTENT,
        "the content is empty",
    )


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("a\x00b", "U+0000 at position 2"),
        ("\x1b[0m", "U+001B at position 1"),
        ("ok\x0b", "U+000B at position 3"),
        ("ok\x85", "U+0085 at position 3"),
        ("ok\ud83d", "U+D83D at position 3"),
        ("\ude00ok", "U+DE00 at position 1"),
        ("张\ufffd", "U+FFFD at position 2"),
        ("张\uffff", "U+FFFF at position 2"),
    ],
)
def test_characters_that_cannot_be_sent_are_named(content: str, found: str) -> None:
    assert refusal(lambda: texts().finish(content)) == (
        Code.BAD_CONTENT,
        f"character {found} cannot be sent",
    )


def test_line_breaks_tabs_and_emoji_are_well() -> None:
    assert texts("").finish("一\r\n\t二 😀") == "一\r\n\t二 😀"


CHINESE = (Manner(),)
ENGLISH = (Manner((Coding.ASCII, Coding.UCS2)),)


@given(st.text())
def test_a_finished_text_can_always_be_cut_and_stored(content: str) -> None:
    try:
        text = texts().finish(content)
    except Refusal as refused:
        assert refused.code is Code.BAD_CONTENT
        return
    text.encode()
    assert "\x00" not in text
    assert text.startswith("【某某医院】")
    assert text.endswith(content)
    assert "�" not in text


ENCODINGS = st.lists(st.sampled_from([*WORDS.values()]), unique=True)
CHANNELS = st.lists(
    st.builds(Manner, ENCODINGS.map(lambda own: (*own, Coding.UCS2)), st.booleans()),
    min_size=1,
    max_size=4,
)


@given(st.text(st.sampled_from("aé院😀[\n"), min_size=1, max_size=300), CHANNELS)
def test_no_channel_needs_more_segments_than_are_promised(
    content: str, channels: list[Manner]
) -> None:
    counted = texts("", 255).segments(content, tuple(channels))
    assert counted == max(
        len(split(content, each.codings, wide=each.wide).payloads) for each in channels
    )


@pytest.mark.parametrize(
    ("content", "gsm", "segments"),
    [
        ("院" * 70, False, 1),
        ("院" * 71, False, 2),
        ("院" * 134, False, 2),
        ("院" * 135, False, 3),
        ("😀" * 35, False, 1),
        ("😀" * 36, False, 2),
        ("a" * 159, True, 1),
        ("a" * 160, True, 2),
        ("a" * 160, False, 3),
        ("[" * 71, True, 2),
    ],
)
def test_the_usual_capacities(content: str, gsm: bool, segments: int) -> None:
    assert texts("").segments(content, ENGLISH if gsm else CHINESE) == segments


def test_the_signature_counts() -> None:
    made = texts()
    assert made.segments(made.finish("院" * 64), CHINESE) == 1
    assert made.segments(made.finish("院" * 65), CHINESE) == 2


def test_beyond_the_clients_limit_a_text_is_too_long() -> None:
    made = texts("", 2)
    assert made.segments("院" * 134, CHINESE) == 2
    reason = (Code.TOO_LONG, "the content takes 3 segments, 2 are allowed")
    assert refusal(lambda: made.segments("院" * 135, CHINESE)) == reason
    assert refusal(lambda: made.segments("院" * 135, CHINESE)) == reason, "and remembered"


def test_no_limit_lets_more_through_than_a_header_can_count() -> None:
    assert texts("", 1_000).segments("院" * 67 * 255, CHINESE) == 255
    assert refusal(lambda: texts("", 1_000).segments("院" * 67 * 256, CHINESE))[0] is Code.TOO_LONG


class TestWording:
    KNOWN = templates([model.Template("visit", "${name}，请于${time}就诊")])

    def wording(self, request: Request) -> Wording:
        return Wording(request, self.KNOWN, texts(""))

    def said(self, request: Request) -> list[str]:
        made = self.wording(request)
        return [made.text_for(entry) for entry in request.entries]

    def test_own_content_before_the_requests(self) -> None:
        request = Request([Entry("1"), Entry("2", content="own")], content="common")
        assert self.said(request) == ["common", "own"]

    def test_own_values_override_the_requests_name_by_name(self) -> None:
        request = Request(
            [Entry("1", values={"name": "李"}), Entry("2", values={"name": "王", "time": "9:00"})],
            template="visit",
            values={"time": "8:00"},
        )
        assert self.said(request) == ["李，请于8:00就诊", "王，请于9:00就诊"]

    def test_values_of_the_request_make_one_common_text(self) -> None:
        request = Request([Entry("1")], template="visit", values={"name": "李", "time": "8:00"})
        assert self.wording(request).common == "李，请于8:00就诊"

    def test_own_content_beside_a_template(self) -> None:
        request = Request([Entry("1", content="own")], template="visit")
        assert self.said(request) == ["own"]

    def test_a_missing_value_of_one_recipient_is_his_alone(self) -> None:
        request = Request(
            [Entry("1"), Entry("2", values={"name": "王"})],
            template="visit",
            values={"time": "9:00"},
        )
        made = self.wording(request)
        assert refusal(lambda: made.text_for(request.entries[0])) == (
            Code.BAD_CONTENT,
            "the template needs a value 'name'",
        )
        assert made.text_for(request.entries[1]) == "王，请于9:00就诊"

    @pytest.mark.parametrize(
        ("request_", "code", "reason"),
        [
            (
                Request([Entry("1")], template="vist"),
                Code.TEMPLATE_UNKNOWN,
                "no template 'vist'",
            ),
            (
                Request([Entry("1")], template="visit", content="x"),
                Code.BAD_REQUEST,
                "content and template exclude each other",
            ),
            (
                Request([Entry("1")], content="x", values={"a": "b"}),
                Code.BAD_REQUEST,
                "values without a template",
            ),
            (Request([Entry("1")], content=" "), Code.BAD_CONTENT, "the content is empty"),
            (
                Request([Entry("1")], template="visit", values={"name": "x"}),
                Code.BAD_CONTENT,
                "the template needs a value 'time'",
            ),
        ],
    )
    def test_a_fault_of_the_request_itself(
        self, request_: Request, code: Code, reason: str
    ) -> None:
        assert refusal(lambda: self.wording(request_)) == (code, reason)

    @pytest.mark.parametrize(
        ("entry", "code", "reason"),
        [
            (Entry("1"), Code.BAD_CONTENT, "there is no content"),
            (Entry("1", content=""), Code.BAD_CONTENT, "the content is empty"),
            (Entry("1", values={"a": "b"}), Code.BAD_REQUEST, "values without a template"),
        ],
    )
    def test_a_fault_of_one_recipient(self, entry: Entry, code: Code, reason: str) -> None:
        made = self.wording(Request([entry]))
        assert refusal(lambda: made.text_for(entry)) == (code, reason)

"""Event lines survive being cut anywhere and being mixed with other programs' lines."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workloads.protocol.events import (
    MAX_LINE_CHARS,
    PICTURE_CHUNK_BYTES,
    Event,
    EventError,
    Parser,
    Picture,
    Printer,
    decode,
    encode,
    picture_events,
)

SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
)
VALUES = st.dictionaries(st.text().filter(lambda key: key != "kind"), SCALARS | st.lists(SCALARS), max_size=4)
EVENTS = st.builds(Event, st.text(min_size=1), VALUES)
PLAIN = st.text(st.characters(exclude_characters="\n\r")).filter(
    lambda line: line.strip() != "" and decode(line) is None
)


def cut(text: str, places: list[int]) -> list[str]:
    edges = sorted({0, len(text), *(place % (len(text) + 1) for place in places)})
    return [text[begin:end] for begin, end in zip(edges, edges[1:], strict=False)]


@given(EVENTS)
def test_an_event_is_one_ascii_line_and_comes_back_as_it_was(event: Event) -> None:
    line = encode(event)
    assert line.isascii()
    assert "\n" not in line
    assert decode(line) == event


@given(st.lists(EVENTS | PLAIN), st.lists(st.integers(min_value=0), max_size=20))
def test_lines_come_back_whole_wherever_the_text_is_cut(items: list[Event | str], places: list[int]) -> None:
    text = "".join((encode(item) if isinstance(item, Event) else item) + "\n" for item in items)
    parser = Parser()
    found = [item for piece in cut(text, places) for item in parser.feed(piece)]
    assert [*found, *parser.close()] == items


@given(PLAIN, EVENTS)
def test_an_event_after_an_unfinished_line_of_another_program_is_still_read(line: str, event: Event) -> None:
    read_end, write_end = os.pipe()
    os.write(write_end, line.encode("utf-8", "surrogatepass"))
    Printer(write_end)(event)
    os.close(write_end)
    with os.fdopen(read_end, "rb") as file:
        text = file.read().decode("utf-8", "surrogatepass")
    parser = Parser()
    assert [*parser.feed(text), *parser.close()] == [line, event]


@pytest.mark.parametrize(
    "line",
    [
        "piray-event",
        "piray-event {",
        "piray-event []",
        'piray-event {"kind": 3}',
        'xpiray-event {"kind": "row"}',
        "piray-event " + "[" * 100_000,
    ],
)
def test_what_only_looks_like_an_event_is_a_plain_line(line: str) -> None:
    assert list(Parser().feed(line + "\n")) == [line]


def test_a_program_that_never_ends_its_line_does_not_fill_the_memory() -> None:
    parser = Parser()
    for _ in range(30):
        assert list(parser.feed("x" * 100_000)) == []
    (line,) = parser.close()
    assert isinstance(line, str)
    assert len(line) == MAX_LINE_CHARS


@given(st.lists(st.binary(max_size=2 * PICTURE_CHUNK_BYTES), max_size=4), st.randoms(use_true_random=False))
def test_a_picture_is_put_together_in_any_order_even_with_parts_sent_twice(
    pieces: list[bytes], random: object
) -> None:
    events = list(picture_events(pieces)) * 2
    random.shuffle(events)  # type: ignore[attr-defined]  # hypothesis gives a random.Random
    picture = Picture()
    assert all(picture.add(event) for event in events)
    assert picture.open().read() == b"".join(pieces)


def test_a_picture_that_is_not_whole_is_refused() -> None:
    events = list(picture_events([bytes(2 * PICTURE_CHUNK_BYTES)]))
    picture = Picture()
    with pytest.raises(EventError, match="last part is missing"):
        picture.open()
    picture.add(events[0])
    picture.add(events[-1])
    with pytest.raises(EventError, match="1 of the picture's 2 parts"):
        picture.open()
    picture.add(Event("picture", {"index": 1, "base64": "AAAA"}))
    with pytest.raises(EventError, match="damaged"):
        picture.open()
    assert not picture.add(Event("row"))

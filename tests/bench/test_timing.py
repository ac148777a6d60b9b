"""Who runs when; no time is looked at."""

from functools import partial

from bench.timing import in_turn, seconds_by_parts


def test_programs_take_turns_round_by_round() -> None:
    calls: list[str] = []

    def program(name: str, index: int) -> str:
        calls.append(f"{name}{index}")
        return calls[-1]

    values = in_turn({name: partial(program, name) for name in "ab"}, 2)
    assert calls == ["a0", "b0", "a1", "b1"]
    assert values == {"a": ["a0", "a1"], "b": ["b0", "b1"]}


def test_within_a_round_programs_take_turns_part_by_part() -> None:
    calls: list[str] = []
    parts = {name: [lambda n=name, i=i: calls.append(f"{n}{i}") for i in range(2)] for name in "ab"}
    seconds = seconds_by_parts(parts, rounds=2)
    assert calls == ["a0", "b0", "a1", "b1"] * 2
    assert {name: len(values) for name, values in seconds.items()} == {"a": 2, "b": 2}
    assert all(value > 0 for values in seconds.values() for value in values)


def test_fewer_parts_are_spread_over_the_whole_round() -> None:
    calls: list[str] = []
    parts = {
        name: [lambda n=name, i=i: calls.append(f"{n}{i}") for i in range(size)]
        for name, size in (("a", 4), ("b", 2))
    }
    seconds_by_parts(parts, rounds=1)
    assert calls == ["a0", "b0", "a1", "a2", "b1", "a3"]

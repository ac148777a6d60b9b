"""Numbers as a reader sees them."""

import pytest

from workloads.results.rendering import count_text, ratio_text, seconds_text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (2.345, "2.35"),
        (0.95, "0.95"),
        (0.1, "0.10"),
        (0.0634, "0.063"),
        (1.27e-5, "0.000013"),
        (1000.0, "1000.00"),
    ],
)
def test_a_small_ratio_keeps_two_digits_that_count(value: float, text: str) -> None:
    assert ratio_text(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(1, "1"), (9999, "9999"), (10_000, "1 x 10^4"), (4.74e9, "4.7 x 10^9"), (9.99e9, "1 x 10^10")],
)
def test_a_large_count_is_a_power_of_ten(value: float, text: str) -> None:
    assert count_text(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0.0, "0.00"), (0.04, "0.0400"), (1.0, "1.00"), (12345.678, "12345.68")]
)
def test_seconds_have_three_digits_that_count(value: float, text: str) -> None:
    assert seconds_text(value) == text

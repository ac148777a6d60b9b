"""What a count says about π."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workloads.pi.estimate import Estimate


def test_known_counts_have_known_estimates() -> None:
    result = Estimate(1_000_000, 785_398)
    assert result.estimate == 3.141592
    assert result.standard_error == pytest.approx(4 * math.sqrt(math.pi / 4 * (1 - math.pi / 4) / 1e6))
    assert result.deviation == pytest.approx(abs(3.141592 - math.pi) / 0.00164218, rel=1e-5)


counts = st.lists(
    st.integers(1, 10**9).flatmap(lambda n: st.builds(Estimate, st.just(n), st.integers(0, n))), min_size=1
)


@given(counts, st.randoms(use_true_random=False))
def test_merging_does_not_depend_on_the_order(parts: list[Estimate], random: object) -> None:
    shuffled = list(parts)
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis types it as Random of its own
    whole = Estimate.merge(parts)
    assert Estimate.merge(shuffled) == whole
    assert Estimate.merge([Estimate.merge(parts[:1]), *parts[1:]]) == whole
    assert whole.samples == sum(part.samples for part in parts)


@pytest.mark.parametrize(("samples", "num_inside"), [(0, 0), (10, 11), (10, -1)])
def test_impossible_counts_are_refused(samples: int, num_inside: int) -> None:
    with pytest.raises(ValueError, match="at least one sample"):
        Estimate(samples, num_inside)


def test_merging_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one sample"):
        Estimate.merge([])

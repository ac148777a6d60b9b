"""Pictures on two cores by Ray and its peers: one picture, and everybody timed."""

import numpy as np
import pytest

from bench import distribution, race


@pytest.mark.ray
def test_a_race_on_two_cores_draws_one_picture_and_times_everybody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distribution, "SPEC", {"rounds": {"0.02": 2}, "sides": [128, 256]})
    found = distribution.race()
    (picture,) = found["pictures"]
    times = picture["times"]
    assert {"Ray", "busy", "independent", "multiprocessing"} <= times.keys()
    assert all(len(times[name]) == 2 and min(times[name]) > 0 for name in ("Ray", "busy", "independent"))
    figures = distribution.figures(found)
    names = [figure.name for figure in figures]
    assert names[0] == "Computing time / Ray's wall time, 0.02 s of work"
    assert names[-1].startswith("Driver's memory")
    assert all(figure.ratio > 0 for figure in figures)


def test_two_different_pictures_are_no_race() -> None:
    black, other = np.zeros((2, 3), dtype=np.uint8), np.eye(2, 3, dtype=np.uint8)
    with pytest.raises(AssertionError, match="picture by Dask differs from that of one core"):
        race.refuse_different(other, black, "Dask")

"""A filter that Ray would answer with nothing, or with a traceback, is refused before it is asked."""

import pytest

from workloads.runner.cluster_state.ray.filters import SCHEMAS, Filter, FilterError, parse_filters
from workloads.runner.cluster_state.ray.kinds import KINDS


def test_every_kind_has_fields_to_filter_by() -> None:
    assert set(SCHEMAS) == set(KINDS)
    for kind, schema in SCHEMAS.items():
        assert schema.filterable_columns(), kind


def test_equal_and_unequal_are_read_in_upper_and_lower_case() -> None:
    assert parse_filters("tasks", ["STATE=finished", "name!=a=b"]) == [
        Filter("state", "=", "finished"),
        Filter("name", "!=", "a=b"),
    ]


def test_all_mistakes_are_told_at_once_with_the_rule() -> None:
    with pytest.raises(FilterError) as caught:
        parse_filters("tasks", ["state=done", "colour=red", "alone", "attempt_number=first"])
    lines = str(caught.value).splitlines()
    assert len(lines) == 4
    assert "state is never 'done'; it is one of FAILED, FINISHED" in lines[0]
    assert "there is no key 'colour'; there are actor_id" in lines[1]
    assert "--filter alone: it must be KEY=VALUE or KEY!=VALUE" in lines[2]
    assert "attempt_number is a whole number, not 'first'" in lines[3]


def test_true_and_false_are_what_a_switch_may_be() -> None:
    assert parse_filters("nodes", ["is_head_node=True"])
    with pytest.raises(FilterError, match="is_head_node is true or false, not 'yes'"):
        parse_filters("nodes", ["is_head_node=yes"])

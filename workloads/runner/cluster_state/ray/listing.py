"""Decides how Ray's state API is asked for a kind of thing, and what its answer must hold.

The API is that of `ray list`: https://docs.ray.io/en/latest/ray-observability/reference/cli.html#state-cli.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from workloads.runner.cluster_state.ray.filters import Filter
from workloads.runner.cluster_state.ray.kinds import MOST_ROWS
from workloads.runner.jobs_api.dashboard import ClusterError, ask

# What a job was given in its environment may be secret, and profiles are for Ray's own timeline.
_LEFT_OUT = ("serialized_runtime_env", "runtime_env_info", "profiling_data", "task_log_info")


@dataclass(frozen=True)
class Listing:
    """What the cluster has of one kind.

    Attributes:
        kind: "tasks", "placement-groups", …
        rows: One thing each, as Ray describes it; no more than were asked for.
        matching: How many there are that pass the filters, as far as Ray knows.
        total: How many Ray looked at; it may have left some out by the filters before it counted.
        warnings: What Ray says of an answer that is not complete.
    """

    kind: str
    rows: tuple[Mapping[str, Any], ...]
    matching: int
    total: int
    warnings: tuple[str, ...] = ()


def read_listing(url: str, token: str, kind: str, limit: int, filters: Sequence[Filter] = ()) -> Listing:
    """Ask the cluster for all things of a kind.

    Args:
        url: The dashboard, as in http://127.0.0.1:8265.
        token: Bearer token. Secret.
        kind: One of kinds.KINDS.
        limit: Most rows, at most kinds.MOST_ROWS.
        filters: All of which have to pass.

    Raises:
        ClusterError: If the cluster does not answer as it should.
    """
    query: list[tuple[str, str | int]] = [("limit", limit), ("detail", 1)]
    for one in filters:
        query += [
            ("filter_keys", one.key),
            ("filter_predicates", one.predicate),
            ("filter_values", one.value),
        ]
    path = f"/api/v0/{kind.replace('-', '_')}?{urlencode(query)}"
    try:
        return _listing(kind, ask(url, token, path)["data"]["result"])
    except (KeyError, TypeError, AttributeError, ValueError):
        raise ClusterError(f"{url} answers, but not as Ray's state API does.") from None


def _listing(kind: str, found: Mapping[str, Any]) -> Listing:
    warnings = [found.get("partial_failure_warning"), *(found.get("warnings") or ())]
    return Listing(
        kind=kind,
        rows=tuple(
            {key: value for key, value in row.items() if key not in _LEFT_OUT} for row in found["result"]
        ),
        matching=int(found["num_filtered"]),
        total=int(found["total"]),
        warnings=tuple(str(one).strip() for one in warnings if one and str(one).strip()),
    )


def shortage(listing: Listing) -> str | None:
    """Say what is not shown, and how to see it; None if all is."""
    kind, shown = listing.kind.replace("-", " "), len(listing.rows)
    if shown < listing.matching:
        return (
            f"{shown} of {listing.matching} {kind} are shown: raise --limit (to {MOST_ROWS} at most), "
            "or choose with --filter."
        )
    return None

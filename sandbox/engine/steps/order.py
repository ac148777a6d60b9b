"""Which resources go with one that is replaced, and in which order resources go; pure decisions."""

from collections.abc import Callable, Collection, Sequence

from sandbox.engine.stack.resource import Resource


def dependents_to_replace(
    root: Resource,
    resources: Sequence[Resource],
    registered: Collection[str],
    must_replace: Callable[[Resource, set[str]], bool],
) -> list[Resource]:
    """Return what cannot stay while a resource is deleted to be replaced, in the order of deletion.

    As `calculateDependentReplacements` in
    https://github.com/pulumi/pulumi/blob/master/pkg/resource/deploy/step_generator.go

    Args:
        root: What is deleted before it is replaced.
        resources: All of the state.
        registered: URNs that this run has registered already; they no longer depend on root.
        must_replace: Whether unknown values of these inputs would replace a resource.
    """
    gone = {root.urn}
    found: list[Resource] = []
    candidates = [one for one in resources if one.custom and not one.delete and one.urn not in registered]
    while True:
        more = [
            one
            for one in candidates
            if one.urn not in gone
            and (one.provider.rpartition("::")[0] in gone or _is_doubtful(one, gone, must_replace))
        ]
        if not more:
            return in_order_of_deletion(found)
        found += more
        gone |= {one.urn for one in more}


def free_to_go(condemned: Sequence[Resource]) -> list[Resource]:
    """Return those of the condemned that no other one of them needs."""
    return [one for one in condemned if not any(one.urn in other.needs for other in condemned)]


def in_order_of_deletion(condemned: Sequence[Resource]) -> list[Resource]:
    """Return them with dependents and children first."""
    left = list(condemned)
    result: list[Resource] = []
    while left:
        free = free_to_go(left)
        assert free, f"these resources depend on each other: {[one.urn for one in left]}"
        result += free
        left = [one for one in left if one not in free]
    return result


def _is_doubtful(
    resource: Resource, gone: Collection[str], must_replace: Callable[[Resource, set[str]], bool]
) -> bool:
    doubtful = {
        key
        for key, urns in resource.property_dependencies.items()
        if key in resource.inputs and any(urn in gone for urn in urns)
    }
    return bool(doubtful) and must_replace(resource, doubtful)

"""Placement groups: CPUs on several nodes that are reserved together, close to each other or far apart."""

import ray
from ray.util import placement_group, placement_group_table, remove_placement_group
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from workloads.driver.nodes import ANSWER_TIMEOUT_S
from workloads.driver.stage.stage import Stage

# A bundle is what lies on one node in any case. This group has two, of one CPU each.
BUNDLES = [{"CPU": 1}, {"CPU": 1}]
# What can be met is met at once on a free cluster.
PATIENCE_S = 5.0


@ray.remote(num_cpus=1)
def where() -> str:
    return str(ray.get_runtime_context().get_node_id())


def place(stage: Stage, strategy: str) -> list[str]:
    """Reserve the bundles, run one task in each, and return the nodes of these."""
    # A name is not needed. It only helps to find the group in the list.
    group = placement_group(BUNDLES, strategy=strategy, name=f"demo-{strategy}")
    ray.get(group.ready(), timeout=ANSWER_TIMEOUT_S)
    tasks = []
    for bundle in range(len(BUNDLES)):
        there = PlacementGroupSchedulingStrategy(group, placement_group_bundle_index=bundle)
        tasks.append(where.options(scheduling_strategy=there).remote())
    nodes: list[str] = ray.get(tasks, timeout=ANSWER_TIMEOUT_S)
    for bundle, node_id in enumerate(nodes):
        stage.say(f"{strategy}: bundle {bundle} is on {stage.host(node_id)}")
    stage.list("placement-groups", count=1, name=f"demo-{strategy}")
    # The CPUs stay reserved until the group is removed.
    remove_placement_group(group)
    return nodes


def ask_too_much(stage: Stage, strategy: str, bundles: list[dict[str, float]], why: str) -> None:
    """Ask for what no cluster of this size can give: the group waits, and its state says so."""
    group = placement_group(bundles, strategy=strategy, name=f"demo-{strategy}")
    met = group.wait(timeout_seconds=PATIENCE_S)
    reason = placement_group_table(group)["stats"]["scheduling_state"]
    stage.say(f"{strategy}: {'met' if met else reason}: {why}")
    stage.check(f"{strategy} is not met", not met and reason == "INFEASIBLE")
    stage.list("placement-groups", count=1, name=f"demo-{strategy}")
    remove_placement_group(group)


def show(stage: Stage) -> None:
    """Place the same two bundles close and far apart, and then ask for the impossible."""
    nodes = [node for node in stage.nodes if node.cpus]
    largest = max(node.cpus for node in nodes)

    # PACK wants all bundles on one node, SPREAD wants them on different ones. Both take what there is if
    # that cannot be had.
    packed, spread = place(stage, "PACK"), place(stage, "SPREAD")
    if largest > 1:
        stage.check("PACK put both bundles on one node", len(set(packed)) == 1)
    if len(nodes) > 1:
        stage.check("SPREAD put the bundles on two nodes", len(set(spread)) == len(BUNDLES))
    else:
        stage.say("There is only one node, so SPREAD had nowhere else to go: try it with --stack.")

    # The STRICT strategies rather wait than take less.
    bundles = [{"CPU": 1.0}] * (len(nodes) + 1)
    why = f"{len(bundles)} bundles need {len(bundles)} nodes, and there are {len(nodes)}"
    ask_too_much(stage, "STRICT_SPREAD", bundles, why)
    why = f"one node would need {largest + 1} CPUs, and the largest has {largest}"
    ask_too_much(stage, "STRICT_PACK", [{"CPU": 1.0}] * (largest + 1), why)

"""A state with operations that were cut off, and what the next run finds in it."""

from typing import Any

import pytest

from infra.recovery.cut_off import cut_off_operations, take_up

URN = "urn:pulumi:home::piray::"


def resource(name: str, kind: str = "command:remote:Command", **more: Any) -> dict[str, Any]:
    inputs = {"create": f"make {name}", "delete": f"undo {name}"}
    return {"urn": f"{URN}{kind}::{name}", "type": kind, "custom": True, "inputs": inputs, **more}


def state(*pending: tuple[str, dict[str, Any]], resources: list[dict[str, Any]]) -> dict[str, Any]:
    operations = [{"type": kind, "resource": one} for kind, one in pending]
    return {"version": 3, "deployment": {"resources": resources, "pending_operations": operations}}


def taken_up(before: dict[str, Any], *, removing: bool = False) -> list[dict[str, Any]]:
    after = take_up(before, removing=removing)
    assert after["deployment"]["pending_operations"] == []
    assert after["version"] == before["version"]
    return list(after["deployment"]["resources"])


def test_what_was_cut_off_is_told_in_words() -> None:
    job = resource("pi-job", "kubernetes:batch/v1:Job")
    before = state(("creating", job), ("deleting", resource("pi2-node")), resources=[])
    assert cut_off_operations(before) == ["making pi-job", "removing pi2-node"]
    assert cut_off_operations({"version": 3}) == []
    assert cut_off_operations({"version": 3, "deployment": None}) == []


@pytest.mark.parametrize("removing", [False, True])
def test_a_host_on_which_a_step_had_begun_is_not_forgotten(removing: bool) -> None:
    begun = resource("pi1-install")
    (known,) = taken_up(state(("creating", begun), resources=[]), removing=removing)
    assert known["initErrors"]
    assert known["id"]
    assert known["outputs"]["delete"] == "undo pi1-install"
    # So that a preview does not take its empty output for what the host has said.
    assert known["inputs"] != begun["inputs"]


def test_an_object_that_was_being_made_is_made_again_by_its_name() -> None:
    job = resource("pi-job", "kubernetes:batch/v1:Job")
    assert taken_up(state(("creating", job), resources=[])) == []


def test_what_was_being_changed_is_changed_again_even_if_the_file_is_the_old_one_again() -> None:
    worker = resource("ray-worker", "kubernetes:apps/v1:Deployment")
    wanted = {**worker, "inputs": {"spec": {"replicas": 3}}}
    (known,) = taken_up(state(("updating", wanted), resources=[worker]))
    assert known["inputs"] == worker["inputs"]
    assert known["initErrors"]


def test_what_was_being_removed_is_made_anew_by_up_and_removed_by_down() -> None:
    install = resource("pi1-install")
    before = state(("deleting", install), resources=[install])
    assert taken_up(before) == [{**install, "taint": True}]


def test_an_old_version_that_was_being_removed_does_not_harm_the_new_one() -> None:
    old, new = resource("pi1-verify", delete=True, id="a"), resource("pi1-verify", id="b")
    assert taken_up(state(("deleting", old), resources=[new, old])) == [new, old]


@pytest.mark.parametrize(("removing", "kept"), [(False, True), (True, False)])
def test_a_replacement_that_had_begun_is_removed_by_down(removing: bool, kept: bool) -> None:
    old = resource("pi1-install", pendingReplacement=True, id="a")
    before = state(("creating", resource("pi1-install")), resources=[old])
    (known,) = taken_up(before, removing=removing)
    assert ("pendingReplacement" in known) == kept

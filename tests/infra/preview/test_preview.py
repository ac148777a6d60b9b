"""What a pull request changes, in words: from two previews of a branch, or from one that knows the state."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from infra.preview.__main__ import main
from infra.preview.comment import MARK, StackChanges, render_comment
from infra.preview.digest import Change, PreviewError, changes_of, hidden_in
from sandbox.engine.stack.files import stack_config
from tests.program import Registered, reveal, run_program

DEPLOYMENT = "kubernetes:apps/v1:Deployment"
JOB = "kubernetes:batch/v1:Job"
COMMAND = "command:remote:Command"


def step(name: str, kind: str, inputs: Mapping[str, Any], op: str = "create", **more: Any) -> dict[str, Any]:
    state = {"type": kind, "custom": True, "inputs": inputs}
    return {"op": op, "urn": f"urn:pulumi:dev::piray::{kind}::{name}", "newState": state, **more}


def preview(*steps: Mapping[str, Any]) -> str:
    component = {
        "op": "create",
        "urn": "urn::ray",
        "newState": {"type": "piray:infra:RayCluster", "custom": False},
    }
    return json.dumps({"config": {}, "steps": [component, *steps], "changeSummary": {"create": len(steps)}})


def worker(replicas: int, image: str = "ray:1") -> dict[str, Any]:
    template = {"spec": {"containers": [{"image": image}]}}
    return step("ray-worker", DEPLOYMENT, {"spec": {"replicas": replicas, "template": template}})


def test_another_number_of_workers_is_one_update_that_restarts_nothing() -> None:
    changes = changes_of(preview(worker(3)), base=preview(worker(2)))
    assert changes == [Change("update", "ray-worker", DEPLOYMENT, ("spec.replicas",))]
    said = render_comment({"dev": StackChanges(changes)})
    assert "1 resource is updated. **Restarts nothing.**" in said
    assert "| `ray-worker` | updated | has another number of pods" in said


def test_another_image_restarts_the_pods_and_names_the_input() -> None:
    changes = changes_of(preview(worker(2, "ray:2")), base=preview(worker(2)))
    said = render_comment({"dev": StackChanges(changes)})
    assert "**Restarts** every ray worker pod." in said
    assert "`spec.template.spec.containers[0].image`" in said


def of_program(**changed: Any) -> str:
    """Return a preview of the example stack, some of whose keys are changed."""
    config = stack_config("dev") | {f"piray:{key}": json.dumps(value) for key, value in changed.items()}
    program = run_program(config, stack="dev", preview=True)
    return preview(*map(as_step, program.resources))


def as_step(resource: Registered) -> dict[str, Any]:
    """Return a resource of the program as a preview tells of it."""
    urns = {
        other: f"urn:pulumi:dev::piray::{other.rsplit('::', 2)[1]}::{other.rsplit('::', 1)[1]}"
        for other in resource.dependencies
    }
    result = step(resource.name, resource.type, reveal(resource.inputs))
    result["newState"]["propertyDependencies"] = {
        key: [urns[urn] for urn in found.urns] for key, found in resource.request.propertyDependencies.items()
    }
    return result


def test_what_a_change_of_the_example_stack_does_is_said_as_it_is() -> None:
    hosts = json.loads(stack_config("dev")["piray:hosts"])
    changed: dict[str, dict[str, Any]] = {
        "workers": {"workers": 2},
        "samples": {"piJob": {"completions": 3, "parallelism": 3, "samples": 5}},
        "k3s": {"k3s": {"version": "v1.36.4+k3s1"}},
        "host": {"hosts": hosts[:-1]},
    }
    base = of_program()
    said = {
        name: render_comment({"dev": StackChanges(changes_of(of_program(**settings), base=base))})
        for name, settings in changed.items()
    }
    assert "1 resource is updated. **Restarts nothing.**" in said["workers"]
    assert "1 resource is replaced. **Restarts** the π Job." in said["samples"]
    assert "**Restarts** k3s on pi1 (its pods run on)" in said["k3s"]
    assert "4 resources are deleted. **Restarts** the pods on pi4, on other hosts." in said["host"]


def test_another_host_as_the_only_server_begins_a_new_cluster() -> None:
    hosts = json.loads(stack_config("dev")["piray:hosts"])
    new = {**hosts[0], "name": "pi9", "address": "198.51.100.99"}
    base = of_program(workers=1)
    said = render_comment(
        {"dev": StackChanges(changes_of(of_program(hosts=[new, *hosts[1:]], workers=1), base=base))}
    )
    assert "the whole cluster, which is built anew" in said
    assert "| `pi9-install` | created | begins a new cluster on pi9, **and the old one is lost**" in said
    added = [*hosts, {**new, "role": "agent"}]
    more = render_comment({"dev": StackChanges(changes_of(of_program(hosts=added, workers=1), base=base))})
    assert "| `pi9-install` | created | is new |" in more
    assert "built anew" not in more


def test_a_new_install_of_the_first_of_several_servers_alone_is_said_to_build_the_cluster_anew() -> None:
    def known(op: str, credentials: str) -> str:
        install = step("pi1-install", COMMAND, {}, op=op, detailedDiff={"triggers[0]": {}})
        reading = depending("k3s-credentials", COMMAND, {"stdin": "x"}, "stdin", install)
        other = step("pi2-install", COMMAND, {}, op=op, detailedDiff={"triggers[0]": {}})
        return preview(install, {**reading, "op": credentials}, other)

    changes = changes_of(known("replace", "update"))
    assert [change.name for change in changes if change.starts_cluster] == ["pi1-install"]
    said = render_comment({"dev": StackChanges(changes)})
    assert "**Restarts** the whole cluster, which is built anew" in said
    assert "other servers cannot join before k3s is uninstalled from them" in said
    assert "all pods on pi2" in said
    # A stack that is new has nothing to lose, and an update makes no new cluster.
    assert not any(change.starts_cluster for change in changes_of(known("create", "create")))
    assert not any(change.starts_cluster for change in changes_of(known("update", "update")))


def test_a_job_whose_spec_changes_is_replaced() -> None:
    old, new = (step("pi-job", JOB, {"spec": {"parallelism": number}}) for number in (3, 4))
    assert [change.operation for change in changes_of(preview(new), base=preview(old))] == ["replace"]


def test_a_host_that_is_taken_out_says_where_k3s_goes() -> None:
    host = [step(f"pi4-{name}", COMMAND, {}) for name in ("install", "node")]
    said = render_comment(
        {"dev": StackChanges(changes_of(preview(worker(2)), base=preview(worker(2), *host)))}
    )
    assert "2 resources are deleted" in said
    assert "| `pi4-install` | deleted | is removed: k3s is uninstalled from pi4 |" in said


def test_a_preview_that_knows_the_state_is_believed() -> None:
    diff = {"spec.replicas": {"kind": "update", "inputDiff": True}}
    known = preview(
        {**worker(3), "op": "update", "detailedDiff": diff},
        step("pi1-install", COMMAND, {}, op="same"),
        step("pi-job", JOB, {}, op="create-replacement"),
        step("pi-job", JOB, {}, op="replace", detailedDiff={"spec.completions": {}}),
        step("pi-job", JOB, {}, op="delete-replaced"),
    )
    assert changes_of(known) == [
        Change("update", "ray-worker", DEPLOYMENT, ("spec.replicas",)),
        Change("replace", "pi-job", JOB, ("spec.completions",)),
    ]


def test_commands_that_cannot_be_compared_are_named() -> None:
    hidden = hidden_in(of_program())
    assert {"pi1-verify", "pi2-install", "pi4-install"} <= set(hidden)
    assert "pi1-install" not in hidden
    said = render_comment({"dev": StackChanges([], hidden)})
    assert "Changes no resource." in said
    assert "a new version of k3s reaches all hosts through them" in said
    assert "`pi2-install`" in said


def test_a_name_and_a_type_of_any_form_are_told() -> None:
    odd = {"op": "update", "urn": "odd", "newState": {"type": "odd"}, "detailedDiff": {"some.input": {}}}
    said = render_comment({"dev": StackChanges(changes_of(json.dumps({"steps": [odd]})))})
    assert "| `odd` | updated | is changed in place (`some.input`) |" in said


def test_an_id_that_each_preview_draws_anew_is_no_change() -> None:
    def node(drawn: str, host: str = "pi2") -> dict[str, Any]:
        result = step(
            f"{host}-node", COMMAND, {"triggers": [f"{host}-install{drawn}"], "stdin": "pi2-installed"}
        )
        urn = f"urn:pulumi:dev::piray::{COMMAND}::{host}-install"
        result["newState"]["propertyDependencies"] = {"triggers": [urn], "connection": None}
        return result

    assert changes_of(preview(node("3378f0cd")), base=preview(node("ba4ef242"))) == []
    other = {
        **node("3378f0cd"),
        "newState": {**node("3378f0cd")["newState"], "inputs": {"triggers": ["by hand"]}},
    }
    assert [change.operation for change in changes_of(preview(other), base=preview(node("ba4ef242")))] == [
        "replace"
    ]


UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
NAMESPACE = "kubernetes:core/v1:Namespace"


def depending(
    name: str, kind: str, inputs: Mapping[str, Any], key: str, on: Mapping[str, Any]
) -> dict[str, Any]:
    result = step(name, kind, inputs)
    result["newState"]["propertyDependencies"] = {key: [on["urn"]]}
    return result


def chain(version: str) -> str:
    """Three Commands, each with a hidden input that depends on the one before."""
    first = step("pi1-install", COMMAND, {"stdin": version})
    credentials = depending("k3s-credentials", COMMAND, {"stdin": "[secret]"}, "stdin", first)
    second = depending("pi2-install", COMMAND, {"stdin": UNKNOWN}, "stdin", credentials)
    return preview(first, credentials, second)


def test_what_gets_hidden_values_from_a_command_that_changes_may_change_as_well() -> None:
    changes = changes_of(chain("v2"), base=chain("v1"))
    assert [(change.name, change.operation) for change in changes] == [
        ("pi1-install", "update"),
        ("k3s-credentials", "perhaps"),
        ("pi2-install", "perhaps"),
    ]
    said = render_comment({"dev": StackChanges(changes)})
    assert "1 resource is updated, 2 resources are perhaps changed." in said
    assert "**Restarts** k3s on pi1 (its pods run on). **May restart** k3s on pi2 (its pods run on)." in said
    assert changes_of(chain("v1"), base=chain("v1")) == []


def in_namespace(name: str, label: str = "") -> str:
    namespace = step("ray-namespace", NAMESPACE, {"metadata": {"name": name, "labels": {"a": label}}})
    return preview(
        namespace,
        depending("ray-head", DEPLOYMENT, {"metadata": {"namespace": UNKNOWN}}, "metadata", namespace),
    )


def test_another_namespace_restarts_all_that_is_in_it() -> None:
    changes = changes_of(in_namespace("b"), base=in_namespace("a"))
    assert [change.operation for change in changes] == ["replace", "perhaps"]
    assert "**Restarts** the Ray head, every worker and the π Job." in render_comment(
        {"dev": StackChanges(changes)}
    )


def test_a_label_of_the_namespace_is_changed_in_place_and_concerns_nothing_in_it() -> None:
    changes = changes_of(in_namespace("a", "new"), base=in_namespace("a"))
    assert changes == [Change("update", "ray-namespace", NAMESPACE, ("metadata.labels.a",))]
    assert "**Restarts nothing.**" in render_comment({"dev": StackChanges(changes)})


def test_a_change_of_documents_changes_no_resource() -> None:
    assert changes_of(preview(worker(2)), base=preview(worker(2))) == []
    assert "Changes no resource." in render_comment({"dev": StackChanges([])})


def test_the_comment_begins_with_the_mark_by_which_the_next_one_replaces_it() -> None:
    assert render_comment({}).startswith(MARK)


@pytest.mark.parametrize("text", ["", "error: no stack", "[]", '{"steps": 3}', "[" * 100_000, b'"\xff"'])
def test_what_is_no_preview_is_refused_in_one_line(text: bytes | str) -> None:
    with pytest.raises(PreviewError, match="not what `pulumi preview --json` prints") as error:
        changes_of(text)
    assert "\n" not in str(error.value)


def test_the_command_reads_files_and_prints_the_comment(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    head, base = tmp_path / "head.json", tmp_path / "base.json"
    head.write_text(preview(worker(3)))
    base.write_text(preview(worker(2)))
    assert main([f"dev={head},{base}"]) == 0
    assert "### Stack `dev`" in capsys.readouterr().out
    assert main([f"dev={tmp_path / 'missing'}"]) == 2
    assert main([]) == 2
    assert "usage: python -m infra.preview" in capsys.readouterr().err


def said_of(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """Return what is said when the example stack's `ray` changes."""
    base = of_program(ray=before)
    return render_comment({"dev": StackChanges(changes_of(of_program(ray=after), base=base))})


def row(said: str, name: str) -> str:
    (found,) = [line for line in said.splitlines() if line.startswith(f"| `{name}` |")]
    return found


KUBERAY = {"mode": "kuberay", "groups": [{"name": "worker", "replicas": 2}]}


@pytest.mark.parametrize(("before", "after"), [({}, KUBERAY), (KUBERAY, {})])
def test_another_mode_restarts_ray_and_says_so(before: dict[str, Any], after: dict[str, Any]) -> None:
    said = said_of(before, after)
    assert "every worker, if ray.mode has changed" in said
    assert "removes the Ray pods of the other mode before" in row(said, "ray-mode")


def test_another_number_of_workers_restarts_nothing_under_kuberay_either() -> None:
    more = {**KUBERAY, "groups": [{"name": "worker", "replicas": 3}]}
    assert "the pods that stay are not touched" in row(said_of(KUBERAY, more), "ray-cluster")


def test_another_image_makes_all_pods_anew_under_kuberay() -> None:
    said = said_of(KUBERAY, {**KUBERAY, "image": "registry.example/ray:2"})
    assert "has other pods" in row(said, "ray-cluster")
    assert "the Ray head and every worker" in said


def test_a_changed_job_of_kuberay_runs_anew() -> None:
    job = {"name": "primes", "entrypoint": "python primes.py"}
    other = {**job, "entrypoint": "python other.py"}
    said = said_of({**KUBERAY, "jobs": [job]}, {**KUBERAY, "jobs": [other]})
    assert "runs anew, and the old result is gone" in row(said, "ray-job-primes")

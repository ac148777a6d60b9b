"""The whole program under Pulumi's mocks: which resources, in which order, with which secrets.

Order is judged by the dependencies that the engine was told, not by the order of registration.
"""

import json
from collections.abc import Mapping
from typing import Any

import pulumi
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pulumi.runtime import stack as pulumi_stack

from sandbox.engine.program.answers import RAY_TOKEN, command_answer
from sandbox.engine.stack.files import stack_config
from sandbox.engine.wire.marks import UNKNOWN
from tests.program import SECRETS, Program, Registered, Secret, plain_texts, reveal, run_program

HOSTS = ["pi1", "pi2", "pi3", "pi4"]
AGENTS = HOSTS[1:]
STEPS = ("prepare", "verify", "install", "node")
STACKS = ["dev", "local"]


def up(config: Mapping[str, str], stack: str = "dev") -> Program:
    return run_program(config, stack=stack, preview=False, answer=command_answer)


def changed(before: Program, after: Program) -> set[str]:
    """Return the names of the resources that are new, gone or have other inputs."""
    old = {resource.name: reveal(resource.inputs) for resource in before.resources}
    new = {resource.name: reveal(resource.inputs) for resource in after.resources}
    return {name for name in old.keys() | new.keys() if old.get(name) != new.get(name)}


def private_key() -> str:
    return (
        Ed25519PrivateKey.generate()
        .private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
        .decode()
    )


def with_hosts(config: Mapping[str, str], hosts: list[dict[str, Any]]) -> dict[str, str]:
    return {**config, "piray:hosts": json.dumps(hosts)}


def many_hosts(config: Mapping[str, str], count: int) -> list[dict[str, Any]]:
    """Return the hosts of the config and agents like the last of them, so that there are `count`."""
    hosts: list[dict[str, Any]] = json.loads(config["piray:hosts"])
    more = range(len(hosts) + 1, count + 1)
    return hosts + [{**hosts[-1], "name": f"pi{n}", "address": f"198.51.100.{10 + n}"} for n in more]


@pytest.fixture
def dev() -> dict[str, str]:
    return stack_config("dev")


def kubernetes_objects(program: Program) -> list[Registered]:
    return [resource for resource in program.resources if resource.type.startswith("kubernetes:")]


def test_four_pis_get_everything_that_the_2020_article_made_by_hand(dev: dict[str, str]) -> None:
    program = up(dev)
    commands = {resource.name for resource in program.of_type("command:remote:Command")}
    assert commands == {
        *(f"{host}-{step}" for host in HOSTS for step in ("prepare", "verify", "install", "node")),
        "k3s-credentials",
    }
    kinds = sorted(resource.type.split(":")[-1] for resource in kubernetes_objects(program))
    assert [kind for kind in kinds if kind != "NetworkPolicy"] == [
        "ConfigMap",
        "ConfigMap",
        "Deployment",
        "Deployment",
        "Job",
        "Namespace",
        "PersistentVolume",
        "PersistentVolumeClaim",
        "Secret",
        "Service",
    ]
    assert kinds.count("NetworkPolicy") >= 1


def test_local_declares_one_command_on_this_machine_and_no_host_or_cluster() -> None:
    program = up(stack_config("local"), "local")
    assert program.of_type("command:remote") == []
    assert kubernetes_objects(program) == []
    assert len(program.of_type("command:local:Command")) >= 1


@pytest.mark.parametrize("stack", STACKS)
def test_a_preview_registers_what_up_registers_though_nothing_is_known_yet(stack: str) -> None:
    config = stack_config(stack)
    preview = run_program(config, stack=stack, preview=True)
    assert {resource.urn for resource in preview.resources} == {
        resource.urn for resource in up(config, stack).resources
    }


@pytest.mark.parametrize("stack", STACKS)
def test_the_program_is_over_when_all_is_there(stack: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the SDK waits for after the program, it looks at again and again."""
    answered: list[str] = []
    before_the_end: list[str] = []
    wait = pulumi_stack.wait_for_rpcs

    async def wait_for_rpcs() -> None:
        before_the_end.extend(answered)
        await wait()

    def answer(args: Any) -> Mapping[str, Any]:
        answered.append(args.name)
        return command_answer(args)

    monkeypatch.setattr(pulumi_stack, "wait_for_rpcs", wait_for_rpcs)
    run_program(stack_config(stack), stack=stack, preview=False, answer=answer)
    assert before_the_end == answered


@pytest.mark.parametrize("stack", STACKS)
def test_everything_has_a_component_of_ours_as_parent(stack: str) -> None:
    for resource in up(stack_config(stack), stack).resources:
        if not resource.type.startswith("piray:"):
            assert "piray:infra:" in resource.parent, resource.urn


@pytest.mark.parametrize("role", ["agent", "server"])
def test_a_host_costs_at_most_four_resources(dev: dict[str, str], role: str) -> None:
    """Two more of them: there cannot be two servers."""
    hosts = many_hosts(dev, 6)
    for host in hosts[4:]:
        host["role"] = role
    more = len(up(with_hosts(dev, hosts)).resources) - len(up(with_hosts(dev, hosts[:4])).resources)
    assert more <= 2 * 4


def test_what_a_host_depends_on_does_not_grow_with_the_number_of_hosts(dev: dict[str, str]) -> None:
    """Else the graph grows with their square. Only what has to wait for all hosts depends on all of them."""
    few, many = (up(with_hosts(dev, many_hosts(dev, count))) for count in (8, 24))
    told = {
        resource.name: (len(many.named(resource.name).dependencies), len(resource.dependencies))
        for resource in few.resources
    }
    assert {name for name, (now, before) in told.items() if now > before} == {
        "k3s",
        "ray-image",
        "ray-worker",
    }
    assert max(len(many.named(f"pi24-{step}").dependencies) for step in STEPS) <= 3


def test_each_host_is_prepared_then_verified_then_gets_k3s(dev: dict[str, str]) -> None:
    program = up(dev)
    for host in HOSTS:
        prepare, verify, install = (
            program.named(f"{host}-{step}") for step in ("prepare", "verify", "install")
        )
        assert program.comes_after(verify, prepare)
        assert program.comes_after(install, verify)


def test_no_host_gets_k3s_before_every_host_is_known_to_be_fit(dev: dict[str, str]) -> None:
    program = up(dev)
    for host in HOSTS:
        for other in HOSTS:
            assert program.comes_after(program.named(f"{host}-install"), program.named(f"{other}-prepare"))


def test_agents_join_after_the_server_and_do_not_wait_for_each_other(dev: dict[str, str]) -> None:
    program = up(dev)
    for agent in AGENTS:
        install = program.named(f"{agent}-install")
        assert program.comes_after(install, program.named("pi1-install"))
        for other in set(AGENTS) - {agent}:
            assert not program.comes_after(install, program.named(f"{other}-install"))


def test_three_servers_are_installed_one_after_the_other(dev: dict[str, str]) -> None:
    hosts = json.loads(dev["piray:hosts"])
    for host in hosts[:3]:
        host["role"] = "server"
    program = up({**with_hosts(dev, hosts), "piray:workers": "1"})
    assert program.comes_after(program.named("pi3-install"), program.named("pi2-install"))
    assert program.comes_after(program.named("pi2-install"), program.named("pi1-install"))
    assert program.comes_after(program.named("pi4-install"), program.named("pi3-install"))


def test_an_agent_is_drained_before_its_k3s_is_uninstalled(dev: dict[str, str]) -> None:
    """Pulumi destroys in the reverse order of dependencies."""
    program = up(dev)
    for agent in AGENTS:
        assert program.comes_after(program.named(f"{agent}-node"), program.named(f"{agent}-install"))


def test_every_pod_waits_for_the_image_which_comes_when_every_node_is_there(
    dev: dict[str, str],
) -> None:
    program = up(dev)
    for resource in kubernetes_objects(program):
        assert program.comes_after(resource, program.named("pi1-node")), resource.name
    for agent in AGENTS:
        node = program.named(f"{agent}-node")
        assert program.comes_after(program.named("ray-image"), node)
    for name in ("ray-head", "ray-worker", "pi-job"):
        assert program.comes_after(program.named(name), program.named("ray-image"))


def test_ray_and_the_pi_job_come_after_their_namespace(dev: dict[str, str]) -> None:
    program = up(dev)
    (namespace,) = program.of_type(":Namespace")
    for resource in kubernetes_objects(program):
        # A volume is in no Namespace.
        if resource is not namespace and not resource.type.endswith(":PersistentVolume"):
            assert program.comes_after(resource, namespace), resource.name


@pytest.mark.parametrize("stack", STACKS)
def test_no_secret_travels_in_clear(stack: str) -> None:
    config = {**stack_config(stack)}
    key = private_key()
    if stack == "dev":
        config["piray:sshPrivateKey"] = key
    program = up(config, stack)
    secrets = [*SECRETS, *key.splitlines()[1:-1]]
    for resource in program.resources:
        for text in [resource.urn, *plain_texts(resource.inputs)]:
            assert not any(secret in text for secret in secrets), resource.urn
    for text in plain_texts(program.outputs):
        assert not any(secret in text for secret in secrets)


def test_no_command_line_holds_more_than_a_constant_call(dev: dict[str, str]) -> None:
    """Scripts and their values travel on stdin: command lines show up in process lists and error messages."""
    for resource in up(dev).of_type("command:remote:Command"):
        for action in ("create", "update", "delete"):
            assert len(resource.inputs.get(action, "")) < 400, resource.name


def test_outputs_of_commands_that_print_secrets_are_secret(dev: dict[str, str]) -> None:
    program = up(dev)
    for resource in program.of_type(":Command"):
        if resource.name.endswith(("credentials", "token")):
            assert {"stdout", "stderr"} <= set(resource.request.additionalSecretOutputs), resource.name
            assert resource.inputs["logging"] == "none"


def test_every_connection_pins_the_host_key(dev: dict[str, str]) -> None:
    keys = {host["address"]: host["hostKey"] for host in json.loads(dev["piray:hosts"])}
    for resource in up(dev).of_type("command:remote:Command"):
        connection = reveal(resource.inputs["connection"])
        assert connection["hostKey"].split()[:2] == keys[connection["host"]].split()[:2]


def test_a_new_number_of_workers_changes_the_worker_deployment_and_nothing_else(dev: dict[str, str]) -> None:
    before, after = up({**dev, "piray:workers": "2"}), up({**dev, "piray:workers": "1"})
    (name,) = changed(before, after)
    assert "worker" in name
    old, new = (program.named(name).inputs["spec"] for program in (before, after))
    assert (old["replicas"], new["replicas"]) == (2, 1)
    assert {**old, "replicas": 0} == {**new, "replicas": 0}


def test_a_removed_agent_leaves_the_other_hosts_and_ray_alone(dev: dict[str, str]) -> None:
    hosts = json.loads(dev["piray:hosts"])
    config = {**dev, "piray:workers": "2"}
    assert changed(up(config), up(with_hosts(config, hosts[:3]))) == {
        *(f"pi4-{step}" for step in STEPS),
        "ray-image",
    }


def test_a_new_k3s_version_touches_k3s_and_no_pod(dev: dict[str, str]) -> None:
    before = up({**dev, "piray:k3s": json.dumps({"version": "v1.36.3+k3s1"})})
    after = up({**dev, "piray:k3s": json.dumps({"version": "v1.36.4+k3s1"})})
    assert {f"{host}-install" for host in HOSTS} <= changed(before, after)
    assert changed(before, after) <= {*(f"{host}-install" for host in HOSTS), "k3s-credentials"}


def test_more_samples_make_a_new_pi_job_under_a_new_name(dev: dict[str, str]) -> None:
    before = up(dev)
    after = up({**dev, "piray:piJob": json.dumps({"samples": 20_000_000})})
    names = changed(before, after)
    assert {program.named(name).type for program in (after,) for name in names} == {"kubernetes:batch/v1:Job"}
    (old,), (new,) = before.of_type(":Job"), after.of_type(":Job")
    assert old.inputs["metadata"]["name"] != new.inputs["metadata"]["name"]


def test_a_bad_config_fails_before_anything_is_registered(dev: dict[str, str]) -> None:
    seen: list[str] = []

    def answer(args: Any) -> dict[str, Any]:
        seen.append(args.name)
        return {}

    with pytest.raises(pulumi.RunError, match="piray:workers"):
        run_program({**dev, "piray:workers": "many"}, stack="dev", preview=False, answer=answer)
    assert seen == []


def test_a_hostname_that_is_taken_is_named_to_every_later_host_before_k3s(dev: dict[str, str]) -> None:
    """The later host refuses in verify.sh, which reads its name anew: see test_scripts_verify.py."""

    def answer(args: Any) -> Mapping[str, Any]:
        answered = dict(command_answer(args))
        if args.name.endswith("-prepare"):
            answered["stdout"] = json.dumps({**json.loads(answered["stdout"]), "hostname": "raspberrypi"})
        return answered

    program = run_program(dev, stack="dev", preview=False, answer=answer)
    for agent in AGENTS:
        assert "TAKEN_HOSTNAME=raspberrypi" in program.named(f"{agent}-verify").inputs["stdin"]
    assert "TAKEN_HOSTNAME=raspberrypi" not in program.named("pi1-verify").inputs["stdin"]
    for host in HOSTS:
        assert program.comes_after(program.named("pi1-install"), program.named(f"{host}-verify"))


@pytest.mark.parametrize("stack", STACKS)
def test_tokens_and_kubeconfig_are_secret_outputs(stack: str) -> None:
    outputs = up(stack_config(stack), stack).outputs
    assert isinstance(outputs["rayToken"], Secret)
    assert RAY_TOKEN not in json.dumps({k: v for k, v in outputs.items() if not isinstance(v, Secret)})
    if stack == "dev":
        assert isinstance(outputs["kubeconfig"], Secret)
        assert "https://198.51.100.11:6443" in outputs["kubeconfig"].value


def test_nothing_is_read_from_a_host_to_preview(dev: dict[str, str]) -> None:
    program = run_program(dev, stack="dev", preview=True)
    kubeconfig = program.outputs["kubeconfig"]
    assert (kubeconfig.value if isinstance(kubeconfig, Secret) else kubeconfig) == UNKNOWN

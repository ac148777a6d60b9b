"""The cluster under mocks: order of installs, updates and removals, and where the secrets are."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
import yaml
from pulumi.runtime import MockResourceArgs

from infra.config.model import StackConfig
from infra.k3s.component import K3sCluster, K3sClusterArgs
from infra.k3s.release import k3s_release
from sandbox.engine.program.answers import CREDENTIALS, command_answer
from sandbox.engine.wire.marks import UNKNOWN
from tests.infra.declared import commands, declare, make_config, pi_hosts, variables
from tests.program import Program, Secret, plain_texts, reveal

TOKENS = ("server-secret", "agent-secret", "S0VZLU9GLVRIRS1BRE1JTg==")


def cluster(config: StackConfig, *, preview: bool = False, answer: Any = None) -> Program:
    k3s = config.k3s
    release = k3s_release(k3s.version, config.arch, k3s.mirror, k3s.install_script_sha256)
    args = K3sClusterArgs(
        servers=config.servers,
        agents=config.agents,
        ssh=config.ssh,
        release=release,
        images=[config.ray.image],
        registry="docker.io",
        image_source=config.ray.image_source,
    )
    return declare(lambda: K3sCluster("k3s", args, pi_hosts(config)), preview=preview, answer=answer)


@pytest.fixture(scope="module")
def single() -> Program:
    return cluster(make_config(servers=1, agents=3))


@pytest.fixture(scope="module")
def triple() -> Program:
    return cluster(make_config(servers=3, agents=2))


def k3s_config(program: Program, host: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(variables(program.named(f"{host}-install"))["CONFIG"])
    return loaded


@pytest.mark.parametrize("preview", [True, False])
@pytest.mark.parametrize(("servers", "agents"), [(1, 0), (1, 3), (3, 2)])
def test_a_host_costs_four_commands(servers: int, agents: int, preview: bool) -> None:
    program = cluster(make_config(servers, agents), preview=preview)
    names = sorted(command.name for command in commands(program))
    expected = [
        f"pi{number}-{step}"
        for number in range(1, servers + agents + 1)
        for step in ("prepare", "verify", "install", "node")
    ]
    assert names == sorted([*expected, "k3s-credentials"])


def test_nothing_is_installed_before_every_host_is_verified(triple: Program) -> None:
    for installed in (f"pi{number}-install" for number in range(1, 6)):
        for verified in (f"pi{number}-verify" for number in range(1, 6)):
            assert triple.comes_after(triple.named(installed), triple.named(verified))


def test_servers_come_one_after_the_other_and_agents_together_after_them(triple: Program) -> None:
    chain = ["pi1-install", "k3s-credentials", "pi2-install", "pi2-node", "pi3-install", "pi3-node"]
    for earlier, later in zip(chain, [*chain[1:], "pi4-install"], strict=True):
        assert triple.comes_after(triple.named(later), triple.named(earlier))
    for agent, other in (("pi4", "pi5"), ("pi5", "pi4")):
        assert triple.comes_after(triple.named(f"{agent}-install"), triple.named("pi3-node"))
        assert not triple.comes_after(triple.named(f"{agent}-install"), triple.named(f"{other}-install"))


def test_a_node_is_deleted_before_its_host_is_uninstalled_and_that_before_it_is_restored(
    single: Program,
) -> None:
    order = [single.named(f"pi3-{step}") for step in ("prepare", "install", "node")]
    for earlier, later in zip(order, order[1:], strict=False):
        assert single.comes_after(later, earlier)
    for command in order:
        assert command.inputs["delete"].endswith("-- undo")
        assert command.request.deleteBeforeReplace


def test_a_node_is_handled_on_the_first_server(triple: Program) -> None:
    for number in range(2, 6):
        node = triple.named(f"pi{number}-node")
        assert reveal(node.inputs["connection"])["host"] == "198.51.100.1"
        told = variables(node)
        assert (told["NODE"], told["ADDRESS"]) == (f"pi{number}", f"198.51.100.{number}")


def test_roles_join_with_their_own_tokens(triple: Program) -> None:
    assert "token" not in k3s_config(triple, "pi1")
    assert variables(triple.named("pi1-install"))["MAKE_TOKENS"] == "1"
    for host in ("pi2", "pi3"):
        assert k3s_config(triple, host)["token"] == CREDENTIALS["server_token"]
        assert k3s_config(triple, host)["agent-token"] == CREDENTIALS["agent_token"]
        assert variables(triple.named(f"{host}-install"))["MAKE_TOKENS"] == "0"
    for host in ("pi4", "pi5"):
        assert k3s_config(triple, host)["token"] == CREDENTIALS["agent_token_full"]
        assert "server-secret" not in reveal(triple.named(f"{host}-install").inputs)["stdin"]


def test_no_secret_is_in_a_text_a_name_or_an_open_input(triple: Program) -> None:
    for resource in triple.resources:
        shown = [*plain_texts(resource.inputs), resource.name]
        assert not [text for text in shown for token in (*TOKENS, "PRIVATE KEY") if token in text]
    for name in ("k3s-credentials", "pi2-install", "pi4-install"):
        assert set(triple.named(name).request.additionalSecretOutputs) >= {"stdout", "stderr"}


def test_kubeconfig_and_provider_are_secret_and_named_after_the_stack(single: Program) -> None:
    provider = single.named("k3s-provider")
    assert isinstance(provider.inputs["kubeconfig"], Secret)
    assert provider.inputs["clusterIdentifier"] == "piray/dev/k3s"
    kubeconfig = yaml.safe_load(reveal(provider.inputs)["kubeconfig"])
    assert kubeconfig["current-context"] == "piray-dev"
    assert kubeconfig["clusters"][0]["cluster"]["server"] == "https://198.51.100.1:6443"


def test_kubernetes_objects_are_made_once_every_server_is_a_node_and_wait_for_no_agent(
    triple: Program,
) -> None:
    provider = triple.named("k3s-provider")
    for server in ("pi1", "pi2", "pi3"):
        assert triple.comes_after(provider, triple.named(f"{server}-node"))
    for agent in ("pi4", "pi5"):
        assert not triple.comes_after(provider, triple.named(f"{agent}-install"))


def test_a_new_agent_leaves_the_others_alone() -> None:
    before, after = cluster(make_config(agents=2)), cluster(make_config(agents=3))
    for command in commands(before):
        assert reveal(command.inputs) == reveal(after.named(command.name).inputs)


def test_the_preview_of_a_new_agent_knows_all_about_the_others() -> None:
    before = cluster(make_config(agents=2))
    after = cluster(
        make_config(agents=3),
        preview=True,
        answer=lambda args: {} if args.name.startswith("pi4-") else command_answer(args),
    )
    for command in commands(before):
        assert reveal(command.inputs) == reveal(after.named(command.name).inputs)


def test_another_version_touches_installs_and_credentials_only() -> None:
    def answer(args: MockResourceArgs) -> Mapping[str, Any]:
        found = dict(command_answer(args))
        if args.name == "pi1-install":
            found["stdout"] = json.dumps({"version": args.inputs["stdin"].split("VERSION=")[1][:20]})
        return found

    before = cluster(make_config(), answer=answer)
    after = cluster(make_config(version="v1.37.1+k3s1"), answer=answer)
    changed = {
        command.name
        for command in commands(before)
        if reveal(command.inputs) != reveal(after.named(command.name).inputs)
    }
    assert changed == {f"pi{number}-install" for number in range(1, 5)} | {"k3s-credentials"}


def test_another_role_replaces_the_install() -> None:
    before, after = cluster(make_config(servers=1, agents=2)), cluster(make_config(servers=3, agents=0))
    install = after.named("pi2-install")
    assert install.inputs["triggers"] != before.named("pi2-install").inputs["triggers"]
    assert "triggers[*]" in install.request.replaceOnChanges


def test_a_host_installed_anew_gets_a_new_node(single: Program) -> None:
    # The engine deletes the Node first: its trigger is the identity of the install.
    assert single.named("pi2-node").inputs["triggers"] == ["pi2-install-id"]


def test_a_mirror_serves_every_download() -> None:
    program = cluster(make_config(mirror="http://198.51.100.200/k3s", install_script_sha256="b" * 64))
    for number in range(1, 5):
        told = variables(program.named(f"pi{number}-install"))
        for url in ("BINARY_URL", "SUMS_URL", "INSTALL_SCRIPT_URL"):
            assert told[url].startswith("http://198.51.100.200/k3s/")
        assert told["INSTALL_SCRIPT_SHA256"] == "b" * 64


def test_a_preview_of_bare_hosts_knows_neither_tokens_nor_kubeconfig() -> None:
    program = cluster(make_config(servers=3, agents=1), preview=True)
    assert reveal(program.named("k3s-provider").inputs)["kubeconfig"] == UNKNOWN
    assert reveal(program.named("pi4-install").inputs)["stdin"] == UNKNOWN
    assert reveal(program.named("pi1-install").inputs)["stdin"] != UNKNOWN

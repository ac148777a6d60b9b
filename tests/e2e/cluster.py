"""A stack on simulated Pis as the scenarios see it: the program beside, the hosts and Kubernetes below."""

import json
import shlex
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from sandbox.pi.host import Host
from sandbox.site import Site
from sandbox.stack import STACK, Sources, StackHost, stack_config, stack_text
from tests.checkout import Checkout, Deployed, Ended
from tests.e2e.process_list import ProcessWatch


@dataclass
class Cluster:
    """A stack and its hosts; the first host is the server.

    Attributes:
        site: Where the hosts live.
        program: The copy of the program.
        watch: What the process lists showed since the hosts were started.
        hosts: The stack's hosts, in the order of its file.
        workers: Ray workers.
        servers: How many of the hosts, from the first on, are servers; the others are agents.
        runtime_packages: What the image lacks.
        version: k3s release; None for the program's default.
        ray: Keys of `ray` besides those of every stack on simulated Pis.
        sources: Where the software comes from; None for the site's own.
        host_keys: By host name, a key in the stack file that is not the host's own.
        ports: By host name, the port of its SSH server where it is not the usual one.
        proxy: The jump host, if there is one.
        passwords: By the path of a key in the stack file, the password that is stored there encrypted.
        before: By host name, its files and units before the first `up`.
        boots: By host name, the boot before the first `up`.
        first_up: What the first `up` did.
    """

    site: Site
    program: Checkout
    watch: ProcessWatch
    hosts: list[Host]
    workers: int = 2
    servers: int = 1
    runtime_packages: tuple[str, ...] = ()
    version: str | None = None
    ray: dict[str, Any] = field(default_factory=dict)
    sources: Sources | None = None
    host_keys: dict[str, str] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=dict)
    proxy: Host | None = None
    passwords: dict[str, str] = field(default_factory=dict)
    before: dict[str, Any] = field(default_factory=dict)
    boots: dict[str, str] = field(default_factory=dict)
    first_up: Deployed | None = None

    @property
    def server(self) -> Host:
        return self.hosts[0]

    def host(self, name: str) -> Host:
        (found,) = [host for host in self.hosts if host.name == name]
        return found

    def configure(self) -> None:
        """Write the stack file."""
        described = [
            self._described(host, "server" if position < self.servers else "agent")
            for position, host in enumerate(self.hosts)
        ]
        sources = replace(self.sources or self.site.sources(), version=self.version)
        proxy = self._described(self.proxy, "agent") if self.proxy else None
        config = stack_config(
            described,
            self.site.key_file,
            sources,
            workers=self.workers,
            runtime_packages=self.runtime_packages,
            proxy=proxy,
            ray=self.ray,
        )
        (self.program.folder / f"Pulumi.{STACK}.yaml").write_text(stack_text(config))
        if self.passwords:
            self.program.pulumi("stack", "init", STACK, "--no-select")
        for path, password in self.passwords.items():
            options = ["--stack", STACK, "--secret", "--path"]
            stored = self.program.pulumi("config", "set", *options, path, stdin=password)
            assert stored.code == 0, stored.said

    def _described(self, host: Host, role: str) -> StackHost:
        return StackHost(
            name=host.name,
            address=host.address,
            host_key=self.host_keys.get(host.name) or host.host_key,
            role=role,
            port=self.ports.get(host.name),
        )

    def up(self) -> Deployed:
        self.configure()
        self.__dict__.pop("outputs", None)
        return self.program.deploy("up", STACK)

    def preview(self) -> Deployed:
        self.configure()
        return self.program.deploy("preview", STACK)

    def down(self) -> Deployed:
        return self.program.deploy("down", STACK)

    @cached_property
    def outputs(self) -> Mapping[str, Any]:
        """The stack's outputs after the last `up`, secrets in clear."""
        return self.program.outputs(STACK)

    def piray(self, workload: str, *options: str) -> Ended:
        return self.program.piray("run", workload, "--stack", STACK, *options)

    def kubectl(self, *arguments: str) -> str:
        # Its cache would be a file more in root's home.
        command = ["sudo", "KUBECACHEDIR=/run/kubectl-cache", "k3s", "kubectl", *arguments]
        return self.server.ssh(shlex.join(command))

    def items(self, kind: str, *options: str) -> list[dict[str, Any]]:
        """Return the objects of a kind, of namespace ray unless the options say otherwise."""
        found = json.loads(self.kubectl("get", kind, "--namespace=ray", "--output=json", *options))
        items: list[dict[str, Any]] = found["items"]
        return items

    def pods(self, component: str = "") -> list["Pod"]:
        """Return the pods of namespace ray, those of one component if given."""
        selector = [f"--selector=app.kubernetes.io/component={component}"] if component else []
        return [Pod.of(item) for item in self.items("pods", *selector)]

    def ready_nodes(self) -> set[str]:
        return {
            item["metadata"]["name"]
            for item in self.items("nodes")
            if any(
                each["type"] == "Ready" and each["status"] == "True" for each in item["status"]["conditions"]
            )
        }

    def services(self) -> dict[str, tuple[str, str]]:
        """Return main process and restarts of every host's k3s: the same only if nobody touched it."""
        return {host.name: service(host) for host in self.hosts}

    def logins(self) -> dict[str, int]:
        """Return how often each host was logged in to."""
        return {host.name: logins(host) for host in self.hosts}


@dataclass(frozen=True)
class Pod:
    """What the scenarios ask of a pod; two that compare equal are the same pod, never restarted."""

    name: str
    uid: str
    node: str
    component: str
    ready: bool
    restarts: int

    @classmethod
    def of(cls, item: Mapping[str, Any]) -> "Pod":
        conditions: Sequence[Mapping[str, str]] = item["status"].get("conditions", [])
        containers: Sequence[Mapping[str, Any]] = item["status"].get("containerStatuses", [])
        return cls(
            name=item["metadata"]["name"],
            uid=item["metadata"]["uid"],
            node=item["spec"].get("nodeName", ""),
            component=item["metadata"]["labels"].get("app.kubernetes.io/component", ""),
            ready=any(each["type"] == "Ready" and each["status"] == "True" for each in conditions),
            restarts=sum(each["restartCount"] for each in containers),
        )


def service(host: Host) -> tuple[str, str]:
    """Return process number and restarts of the host's k3s."""
    unit = host.ssh("systemctl is-active --quiet k3s && echo k3s || echo k3s-agent").strip()
    shown = host.ssh(f"systemctl show --property=MainPID --property=NRestarts --value {unit}").split()
    return shown[0], shown[1]


def logins(host: Host) -> int:
    """Return how often somebody logged in with a key; this very call is one of them."""
    return int(host.ssh("sudo journalctl --unit=ssh --output=cat | grep --count '^Accepted publickey'"))


def wait_until(true: Callable[[], bool], timeout: float = 120) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + timeout
    while not true():
        assert time.monotonic() < deadline, f"still not after {timeout:.0f} s"
        time.sleep(0.3)


def whole(cluster: Cluster) -> bool:
    """Say whether head and workers are all there and ready."""
    pods = [*cluster.pods("head"), *cluster.pods("worker")]
    return len(pods) == 1 + cluster.workers and all(pod.ready for pod in pods)


@contextmanager
def cluster_on(site: Site, program: Checkout, hosts: Sequence[Host]) -> Iterator[Cluster]:
    """Yield a stack on these hosts; in the end the hosts are removed with all that is on them."""
    try:
        with ProcessWatch().running() as watch:
            yield Cluster(site, program, watch, list(hosts))
    finally:
        for host in hosts:
            host.remove()

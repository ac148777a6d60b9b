"""Runs one component under Pulumi's mocks, with hosts of our own making."""

import shlex
from collections.abc import Callable, Mapping
from typing import Any

from pulumi.runtime import MockResourceArgs

from infra.config.model import HostConfig, K3sConfig, SshConfig, StackConfig
from infra.config.ray import RayConfig, WorkerGroup
from infra.config.ray_image import ImageSource
from infra.config.values.ssh_keys import Secret
from infra.hosts.check_list import HostNeeds
from infra.hosts.component import PiHosts
from sandbox.engine.program.answers import Answers, command_answer
from sandbox.engine.program.under_mocks import run_under_mocks
from tests.program import Program, RecordingMonitor, Registered, reveal

PRIVATE_KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\nnot-a-real-one\n-----END OPENSSH PRIVATE KEY-----\n"
HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ7Gx9ZPg3kTQH0m4Xy7v1S9m6T7n4x1Yk2b3c4d5e6f"


WORKERS = WorkerGroup(name="worker", replicas=3, min_replicas=3, max_replicas=3, cpus=3, memory_mib=1536)


def make_config(servers: int = 1, agents: int = 3, **k3s: Any) -> StackConfig:
    """Make the config of a stack with hosts pi1, pi2, …, the servers first."""
    hosts = [
        HostConfig(
            name=f"pi{number}",
            address=f"198.51.100.{number}",
            role="server" if number <= servers else "agent",
            host_key=HOST_KEY,
        )
        for number in range(1, servers + agents + 1)
    ]
    return StackConfig(
        platform="pi",
        hosts=tuple(hosts),
        ssh=SshConfig(user="pi", private_key=Secret(PRIVATE_KEY)),
        k3s=K3sConfig(**k3s),
        ray=RayConfig(
            image="rayproject/ray:2.60.0-py311-aarch64",
            image_source=ImageSource(),
            runtime_packages=(),
            groups=(WORKERS,),
        ),
    )


def pi_hosts(config: StackConfig) -> PiHosts:
    """Declare the hosts of a stack as the program does."""
    return PiHosts("hosts", config.hosts, config.ssh, HostNeeds(arch=config.arch))


def declare(
    main: Callable[[], object],
    *,
    preview: bool = False,
    answer: Callable[[MockResourceArgs], Mapping[str, Any]] | None = None,
) -> Program:
    """Run `main` as a program, answered as by hosts without trouble; in a preview by nobody."""
    answers = answer or (lambda args: {} if preview else command_answer(args))
    monitor = RecordingMonitor(Answers(answers))

    run_under_mocks(main, monitor, {}, stack="dev", preview=preview)
    return monitor.program


def commands(program: Program) -> list[Registered]:
    return program.of_type("command:remote:Command")


def variables(command: Registered) -> dict[str, str]:
    """Return the shell variables that a Command's stdin sets."""
    stdin = reveal(command.inputs)["stdin"]
    start = stdin.index("ROOT=")
    words = shlex.split(stdin[start : stdin.index("# shellcheck shell=bash\n", start)])
    return {name: value for name, _, value in (word.partition("=") for word in words)}

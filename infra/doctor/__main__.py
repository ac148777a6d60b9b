"""`python -m infra.doctor STACK`: exit status 0 without errors, 1 with errors, 2 where it cannot look."""

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from infra.config.model import HostConfig, SshConfig, StackConfig
from infra.doctor.channel import check_version, newest_by_channel
from infra.doctor.compare import check_room, compare_hosts
from infra.doctor.finding import Finding, Severity, error, warning
from infra.doctor.report import Report, as_json, as_tables
from infra.doctor.stack import DoctorError, Stack, read_stack
from infra.doctor.visit import visit_all
from infra.hosts.check_list import HostNeeds, registry_url, room_mib
from infra.k3s.release import k3s_release
from infra.pulumi_cli import PulumiCliError
from infra.remote import agent

# Where the output is no terminal: remedies are long.
_WIDTH = 160


def examine(stack: Stack, *, write_test: bool) -> Report:
    """Look at all hosts of a stack.

    Args:
        stack: The stack, of platform pi.
        write_test: Whether the speed of the hosts' cards is measured.
    """
    config = stack.config
    variables = {host.name: _variables(config, host, write_test=write_test) for host in config.hosts}
    with tempfile.TemporaryDirectory(prefix="piray-doctor-") as folder:
        visits = visit_all(config.hosts, config.ssh, variables, Path(folder))
    agents = _agent(config.ssh)
    if config.ssh.private_key is None and any(one.severity is Severity.ERROR for one in agents):
        # No login can succeed then: the one reason is told once, and not again of each host.
        visits = [replace(one, findings=_without_login(one.findings)) for one in visits]
    between = compare_hosts(config.hosts, visits)
    return Report(
        stack=stack.name,
        visits=visits,
        by_host={visit.host.name: [*visit.findings, *between[visit.host.name]] for visit in visits},
        of_stack=[
            *agents,
            *check_room(stack, visits),
            *check_version(config.k3s.version, newest_by_channel()),
        ],
    )


def _without_login(findings: Sequence[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.id != "login"]


def _agent(ssh: SshConfig) -> list[Finding]:
    verdict = agent.judge(os.environ, private_key=ssh.private_key is not None)
    said = verdict.problem or verdict.warning
    if not said:
        return []
    what, _, remedy = said.partition("; ")
    return [(error if verdict.problem else warning)("agent", what, "", remedy)]


def _variables(config: StackConfig, host: HostConfig, *, write_test: bool) -> dict[str, str]:
    k3s, image = config.k3s, config.ray.image
    release = k3s_release(k3s.version, config.arch, k3s.mirror, k3s.install_script_sha256)
    needs = HostNeeds(
        arch=config.arch,
        servers=len(config.servers),
        server=str(config.servers[0].address),
        sources=(release.sums_url, release.install_script_url),
        room_mib=room_mib(image),
    )
    return {
        **needs.variables(host),
        "REGISTRY": _registry(config),
        "WRITE_TEST": "1" if write_test else "0",
    }


def _registry(config: StackConfig) -> str:
    """Return what every host has to reach for the image; empty where that comes from the user's machine."""
    source = config.ray.image_source
    if source.kind in ("archive", "build"):
        return ""
    return registry_url(config.ray.image, plain_http=source.plain_http)


def _tell_nothing_to_look_at(name: str, *, as_object: bool) -> None:
    print(
        f"piray: there is nothing to look at: stack {name} is of platform local, which uses this machine "
        "alone and no Pis. Nothing was checked.",
        file=sys.stderr,
    )
    if as_object:
        print(json.dumps(as_json(Report(stack=name, visits=[], by_host={}, of_stack=[])), indent=2))


def main(arguments: Sequence[str]) -> int:
    """Run the command line; return its exit code."""
    parser = argparse.ArgumentParser(prog="piray doctor", description=__doc__)
    parser.add_argument("stack", metavar="STACK", help="name of the stack, as in home")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    parser.add_argument("--no-write-test", action="store_true", help="leave the cards' speed out")
    given = parser.parse_args(arguments)
    try:
        if not shutil.which("ssh"):
            raise DoctorError(
                "the program ssh is missing on this machine: install it (sudo apt-get install openssh-client)"
            )
        stack = read_stack(given.stack)
        if stack.config.platform != "pi":
            _tell_nothing_to_look_at(stack.name, as_object=given.json)
            return 0
        count = len(stack.config.hosts)
        print(f"looking at {count} host{'s' * (count != 1)} …", file=sys.stderr)
        report = examine(stack, write_test=not given.no_write_test)
    except (DoctorError, PulumiCliError) as problem:
        print(f"piray: {problem}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    if given.json:
        print(json.dumps(as_json(report), indent=2))
    else:
        console = Console()
        Console(width=None if console.is_terminal else _WIDTH).print(as_tables(report))
    return 1 if report.counts()["error"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

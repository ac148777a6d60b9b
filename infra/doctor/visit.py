"""One visit to a host: the checks run there over SSH, and what they found comes back."""

import re
import subprocess
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from infra.config.model import HostConfig, SshConfig
from infra.doctor.finding import Finding, Severity, error, warning
from infra.doctor.refusal import refusal
from infra.hosts.check_list import CHECKS
from infra.remote.answer import AnswerError, parse_answer
from infra.remote.login import jump_host_log, ssh_command
from infra.remote.stdin import render_stdin

SCRIPTS = (*CHECKS, "doctor/doctor.sh")
# All downloads and the write test at their slowest end before.
_LONGEST_S = 240
_AT_ONCE = 32
# The step to root is left out for a shell in which everybody is.
_NOT_ROOT = "id() { echo 0; }\n"
_SSH_FAILED = 255


@dataclass(frozen=True, kw_only=True)
class Visit:
    """What a visit to a host brought.

    Attributes:
        host: The host.
        facts: What doctor.sh found out; empty where it did not run.
        findings: What is to be said about the host alone.
        began, ended: This machine's clock around the visit, in seconds since 1970.
    """

    host: HostConfig
    facts: Mapping[str, Any] = field(default_factory=dict)
    findings: Sequence[Finding] = ()
    began: float = 0.0
    ended: float = 0.0


@dataclass(frozen=True)
class Way:
    """The way to a host.

    Attributes:
        command: What logs in there.
        log: What the ssh to the jump host notes; no file where there is none.
    """

    command: Sequence[str]
    log: Path

    def noted(self) -> str:
        """Return what the ssh to the jump host has noted so far."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""


def visit_all(
    hosts: Sequence[HostConfig], ssh: SshConfig, variables: Mapping[str, Mapping[str, str]], folder: Path
) -> list[Visit]:
    """Visit all hosts at the same time.

    Args:
        hosts: The hosts.
        ssh: How to log in.
        variables: By name of a host, the shell variables of the checks.
        folder: A private folder for keys.
    """
    # Written one after the other: all of them share one key file.
    commands = [ssh_command(host, ssh, folder) for host in hosts]
    with ThreadPoolExecutor(max_workers=_AT_ONCE) as threads:
        running = [
            threads.submit(_visit, host, ssh, Way(command, jump_host_log(host, folder)), variables[host.name])
            for host, command in zip(hosts, commands, strict=True)
        ]
        return [visit.result() for visit in running]


def _visit(host: HostConfig, ssh: SshConfig, way: Way, variables: Mapping[str, str]) -> Visit:
    password = ssh.sudo_password_on(host)
    stdin = render_stdin(SCRIPTS, {"HOST": host.name, **variables}, password.reveal() if password else None)
    visit = _run(host, ssh, way, stdin)
    if visit.facts or not any(finding.id == "sudo" for finding in visit.findings):
        return visit
    # Without root most of the checks see as much.
    again = _run(host, ssh, way, _NOT_ROOT + stdin)
    return Visit(
        host=host,
        facts=again.facts,
        findings=[*visit.findings, *again.findings],
        began=again.began,
        ended=again.ended,
    )


def _run(host: HostConfig, ssh: SshConfig, way: Way, stdin: str) -> Visit:
    began = time.time()
    try:
        done = subprocess.run(
            [*way.command, "bash -s -- doctor"],
            input=stdin,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_LONGEST_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        slow = error(
            "reachable",
            f"the checks did not end within {_LONGEST_S} s",
            "a healthy host needs some seconds",
            "look at its network and its card: sudo dmesg | tail, or run this again with --no-write-test",
        )
        return Visit(host=host, findings=[slow])
    ended = time.time()
    if done.returncode:
        return Visit(host=host, findings=_failure(host, ssh, done, way.noted()))
    try:
        said = parse_answer(host.name, done.stdout)
        findings = [Finding(**{**one, "severity": Severity(one["severity"])}) for one in said["findings"]]
        facts = said["facts"]
    except AnswerError as problem:
        return Visit(host=host, findings=[_refused(str(problem), host, "answer")])
    return Visit(host=host, facts=facts, findings=findings, began=began, ended=ended)


def _failure(
    host: HostConfig, ssh: SshConfig, done: "subprocess.CompletedProcess[str]", at_jump_host: str
) -> list[Finding]:
    """Return what ended a visit: a refusal of our own scripts, or one of ssh."""
    code, stderr = done.returncode, done.stderr
    ours = [line for line in stderr.splitlines() if line.startswith(f"piray: {host.name}: ")]
    if ours:
        return [_refused(line, host, "sudo") for line in ours]
    if code == _SSH_FAILED or "bash" in stderr:
        return [refusal(host, ssh, stderr, at_jump_host)]
    last = (stderr.strip().splitlines() or ["no reason was given"])[-1]
    return [
        warning(
            "checks", f"the checks ended early: {last}", "they should run to their end", "tell us (an issue)"
        )
    ]


def _refused(line: str, host: HostConfig, id_: str) -> Finding:
    """Return the finding of a line `piray: HOST: what; rule; remedy`."""
    text = line.removeprefix(f"piray: {host.name}: ")
    what, rule, remedy = (text.split("; ", 2) + ["", ""])[:3]
    return error(id_, what, rule, re.sub("; then run make up again$", "", remedy))

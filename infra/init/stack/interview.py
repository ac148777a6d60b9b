"""All questions of a new stack file, in their order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.config.values import fields
from infra.config.values.ssh_keys import parse_private_key, read_key_file
from infra.init.dialogue.options import Options
from infra.init.dialogue.questions import Questions
from infra.init.dialogue.values import check_value
from infra.init.network.hosts import Host, ask_hosts, ask_servers
from infra.init.network.trust import ask_host_keys
from infra.init.stack.text import StackAnswers

SSH_PORT = 22
ARM64 = "arm64"


@dataclass(frozen=True, kw_only=True)
class Draft:
    """The answers so far; None where one is missing or wrong, which is then among the problems.

    Attributes:
        hosts: The Pis, as in `StackAnswers`.
        user: Who logs in.
        port: Of the SSH servers.
        key_file: File of the private key; None for the SSH agent.
        key_known: Whether it is known which of the two it is.
        workers: Number of Ray workers.
        arch: Processor of the Pis.
        sudo_asks: Whether sudo asks the user for a password.
    """

    hosts: Sequence[Mapping[str, str]]
    user: str | None
    port: int | None
    key_file: str | None
    key_known: bool
    workers: int | None
    arch: str | None
    sudo_asks: bool

    def finished(self) -> StackAnswers:
        """Return the answers of a draft without problems."""
        assert self.user is not None
        assert self.port is not None
        assert self.workers is not None
        assert self.arch is not None
        return StackAnswers(
            self.hosts, self.user, self.port, self.key_file, self.workers, self.arch, sudo_asks=self.sudo_asks
        )


def ask_stack(questions: Questions, options: Options, *, scan: bool) -> Draft:
    """Return the answers that make a stack file; what is missing or wrong is among the problems.

    Args:
        questions: How they are asked.
        options: What was said beforehand.
        scan: Whether the Pis are asked for their host keys; otherwise the hosts have none yet.

    Raises:
        InitError: If a host key is not confirmed.
    """
    hosts = ask_hosts(questions, options)
    roles = ask_servers(questions, hosts, options) if hosts else []
    user = questions.ask(
        "User that your key logs in as on the Pis",
        lambda text: str(check_value(fields.User, text)),
        option="--user",
        given=options.user,
    )
    count = len(questions.problems)
    key_file = _ask_key(questions, options)
    key_known = len(questions.problems) == count
    port = _check_option(questions, fields.Port, "--port", options.port, SSH_PORT)
    workers = _ask_workers(questions, options, roles)
    arch = _check_option(questions, fields.Arch, "--arch", options.arch, ARM64)
    sudo = questions.choose(
        "Does sudo ask that user for a password? Raspberry Pi OS does since April 2026",
        ("ask", "none"),
        yes="ask",
        option="--sudo-password",
        given=options.sudo_wanted,
        default="none",
    )
    if scan and roles and port is not None:
        roles = ask_host_keys(questions, roles, port, options)
    return Draft(
        hosts=roles or hosts,
        user=user,
        port=port,
        key_file=key_file,
        key_known=key_known,
        workers=workers,
        arch=arch,
        sudo_asks=sudo == "ask",
    )


def _check_option(questions: Questions, kind: Any, option: str, given: str | None, default: Any) -> Any:
    """Return what an option says that most people leave out, so that it is not asked for."""
    if given is None:
        return default
    return questions.ask(option, lambda text: check_value(kind, text), option=option, given=given)


def _ask_key(questions: Questions, options: Options) -> str | None:
    """Return the file of the private key; None for the SSH agent."""
    if options.agent and options.key_file is not None:
        questions.problems.append("--agent and --key-file say different things.\n    Delete one of the two.")
        return None

    def check(text: str) -> str:
        if not text:
            return ""
        parse_private_key(read_key_file(text))
        # Pulumi starts in the project's folder, whichever one this is.
        return text if text.startswith("~") else str(Path(text).absolute())

    file = questions.ask(
        "File of your private SSH key (only Enter: the keys of your SSH agent)",
        check,
        option="--key-file",
        given="" if options.agent else options.key_file,
        default="",
    )
    if not file:
        questions.said.append("--agent")
    return file or None


def _ask_workers(questions: Questions, options: Options, roles: list[Host]) -> int | None:
    agents = sum(host["role"] == "agent" for host in roles)
    return questions.ask(
        "Number of Ray workers",
        lambda text: int(check_value(fields.Workers, text)),
        option="--workers",
        given=options.workers,
        # A single Pi is a server that runs the workers itself.
        default=str(agents or 1),
    )

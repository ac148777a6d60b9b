"""The Pulumi CLI, found or installed, and the four things that this project asks of it.

Run as `python -m infra.pulumi_cli up|preview|down|outputs STACK`. The workload runner reads a stack's outputs
through this command too, so that only JSON passes between the two halves of the project.
"""

import json
import os
import re
import secrets
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from infra.config.stack_file import StackFileError, check_cores, check_stack_file, host_addresses
from infra.local.nodes import undo
from infra.local.wanted import LocalRayError
from infra.names import PROJECT
from infra.proxies import past_proxies
from infra.pulumi_process import Cli
from infra.recovery.cluster import changes_by_others
from infra.recovery.cut_off import cut_off_operations, outputs_of, take_up
from infra.recovery.drift import kubeconfig_of, objects_of
from infra.recovery.locks import LockedError, release_dead_locks
from infra.remote import agent

PROJECT_DIR = Path(__file__).resolve().parent.parent

USAGE = "usage: python -m infra.pulumi_cli up|preview|down|outputs STACK [option of pulumi …]"


class PulumiCliError(Exception):
    """The CLI cannot be had, or refused; the text is one line for the user."""


def find_pulumi() -> Path:
    """Return the `pulumi` on PATH, else the official release that fits the locked SDK, installed if need be.

    Whether the one on PATH is new enough is the program's own check (infra/program.py).

    Raises:
        PulumiCliError: If there is none on PATH and the official installer cannot be reached.
    """
    if on_path := shutil.which("pulumi"):
        return Path(on_path)
    # The SDK takes longer to import than all the rest of this module.
    from pulumi.automation import PulumiCommand  # noqa: PLC0415

    try:
        return Path(PulumiCommand.install().command)
    except (OSError, subprocess.CalledProcessError) as error:
        raise PulumiCliError(
            "pulumi is not on PATH and its official installer cannot be reached from here "
            f"({_reason(error)}); what still works without it: make run, make test. "
            "To go on, install it (https://www.pulumi.com/docs/install/) and run this again."
        ) from error


def environment(pulumi: Path, env: Mapping[str, str]) -> dict[str, str]:
    """Return env with the CLI's folder on PATH and a passphrase for the secrets in the stack's state.

    A passphrase of the user's (PULUMI_CONFIG_PASSPHRASE or …_FILE) is used as it is. Otherwise one is made
    once and kept, readable by its owner only, in $XDG_CONFIG_HOME/piray/passphrase.
    """
    result = dict(env)
    result["PATH"] = os.pathsep.join([str(pulumi.parent), env.get("PATH", os.defpath)])
    result.setdefault("PULUMI_SKIP_UPDATE_CHECK", "true")
    # Pulumi's SSH client stops at a socket where nobody answers, though it may have a key of its own.
    if agent.VARIABLE in env and not agent.answers(env[agent.VARIABLE]):
        del result[agent.VARIABLE]
    if "PULUMI_CONFIG_PASSPHRASE" not in env and "PULUMI_CONFIG_PASSPHRASE_FILE" not in env:
        result["PULUMI_CONFIG_PASSPHRASE_FILE"] = str(_passphrase_file(env))
    return result


def pulumi_arguments(action: str, stack: str, options: Sequence[str], *, interactive: bool) -> list[str]:
    """Return the arguments of the CLI for one of our four actions.

    Raises:
        PulumiCliError: If the action is none of the four.
    """
    # Without anybody to look at it, a preview is the program run a second time.
    confirm = [] if interactive else ["--yes", "--skip-preview"]
    commands = {
        "preview": ["preview"],
        "up": ["up", *confirm],
        "down": ["destroy", *confirm],
        "outputs": ["stack", "output", "--json", "--show-secrets"],
    }
    if action not in commands:
        raise PulumiCliError(f"{action!r} is not an action; {USAGE}")
    return [*commands[action], "--stack", stack, *options]


def run(action: str, stack: str, options: Sequence[str] = ()) -> int:
    """Run one action on a stack in this project and return the CLI's exit code.

    Args:
        action: One of the four.
        stack: Name of the stack, with or without its organization and project.
        options: Further options of the CLI.

    Raises:
        PulumiCliError: If the CLI cannot be had, the name is no stack's, or the stack is not there for
            `outputs` and `down`.
        StackFileError: If the stack file cannot be used.
        LockedError: If somebody else may be at work on the stack.
    """
    arguments = pulumi_arguments(action, stack, options, interactive=sys.stdin.isatty())
    name = stack_name(stack)
    stack_file = _stack_file(name)
    may_be_new = action in {"up", "preview"}
    if may_be_new:
        check_stack_file(stack_file)
    pulumi = find_pulumi()
    env = environment(pulumi, os.environ)
    # Its Kubernetes provider talks to the cluster itself.
    env |= past_proxies(env, host_addresses(stack_file))
    changes = action in {"up", "down"}
    if changes:
        for line in release_dead_locks(name, PROJECT, env, PROJECT_DIR):
            _say(line)
    cli = Cli(pulumi, stack, env, PROJECT_DIR)
    found = _require_stack(cli, create=may_be_new, export=changes)
    if may_be_new:
        check_cores(stack_file, outputs_of(found) if changes else found)
    if changes:
        arguments += _settle(cli, found, removing=action == "down")
    code = cli.run_to_its_end(arguments)
    if action == "down" and code == 0:
        _end_local_ray(name)
    return code


def stack_name(stack: str) -> str:
    """Return the name of a stack without its organization and project, as Pulumi writes them all in one.

    Raises:
        PulumiCliError: If it is not the name of a stack of this project.
    """
    *above, name = stack.split("/")
    known = len(above) < 2 or above[1] == PROJECT  # noqa: PLR2004 — organization/project/name
    if len(above) > 2 or not all(re.fullmatch(r"\w[\w.-]*", one, re.ASCII) for one in [*above, name]):  # noqa: PLR2004
        raise PulumiCliError(
            f"{stack!r} is not the name of a stack: use letters, digits, '-', '_' and '.', as in STACK=home"
        )
    if not known:
        raise PulumiCliError(f"stack {stack!r} is of project {above[1]!r}; this one is {PROJECT!r}")
    return name


def known_stacks() -> list[str]:
    """Return the names of the stack files in the project's folder."""
    files = PROJECT_DIR.glob("Pulumi.*.yaml")
    return sorted(path.name.removeprefix("Pulumi.").removesuffix(".yaml") for path in files)


def _stack_file(name: str) -> Path:
    path = PROJECT_DIR / f"Pulumi.{name}.yaml"
    if not path.exists():
        raise PulumiCliError(
            f"there is no stack file {path.name}; give one of: {', '.join(known_stacks())}, "
            f"or make it: piray init {name}"
        )
    return path


def _end_local_ray(name: str) -> None:
    """End what an `up` that was cut off may have started on this machine before Pulumi knew of it."""
    try:
        undo(name)
    except (LocalRayError, OSError) as error:
        raise PulumiCliError(str(error)) from error


def _require_stack(cli: Cli, *, create: bool, export: bool) -> Mapping[str, Any]:
    """See that Pulumi knows the stack; which one the user has selected stays as it is.

    Returns:
        The stack's state if asked for, else its outputs without the secrets; nothing for a new stack.
    """
    question = ["export", "--show-secrets"] if export else ["output", "--json"]
    asked = cli.ask(*question, "--stack", cli.stack)
    if asked.returncode and "no stack named" in asked.stderr:
        if not create:
            raise PulumiCliError(f"stack {cli.stack!r} is not up: run `make up STACK={cli.stack}` first")
        asked = cli.ask("init", cli.stack, "--no-select")
    _refuse_failure(cli, asked)
    return _object(asked.stdout)


def _object(text: str) -> Mapping[str, Any]:
    """Return the JSON object that a text is; nothing for any other text."""
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _refuse_failure(cli: Cli, asked: "subprocess.CompletedProcess[str]") -> None:
    if asked.returncode:
        raise PulumiCliError(f"pulumi cannot use stack {cli.stack!r}: {' '.join(asked.stderr.split())}")


def _settle(cli: Cli, state: Mapping[str, Any], *, removing: bool) -> list[str]:
    """Make a state ready for a run, whatever was done meanwhile; return options that the run needs."""
    if operations := cut_off_operations(state):
        _say(f"the last run was cut off while {', '.join(operations)}; this is done again")
        state = take_up(state, removing=removing)
        _refuse_failure(cli, cli.ask("import", "--stack", cli.stack, text=json.dumps(state)))
    if removing or not (kubeconfig := kubeconfig_of(state)):
        return []
    changes = changes_by_others(kubeconfig, objects_of(state))
    for line in changes:
        _say(f"{line}; this is set back")
    # Only then: to look at everything takes time, and a cluster that answers.
    return ["--refresh"] if changes else []


def _say(line: str) -> None:
    print(f"piray: {line}", file=sys.stderr)


def _passphrase_file(env: Mapping[str, str]) -> Path:
    folder = Path(env.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "piray"
    path = folder / "passphrase"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path
    except OSError as error:
        raise PulumiCliError(
            f"cannot make a passphrase for the stacks' secrets in {path} ({error.strerror}); "
            "set PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE"
        ) from error
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_urlsafe(32))
    print(f"made a passphrase for the stacks' secrets in {path}; keep a copy of it", file=sys.stderr)
    return path


def _reason(error: OSError | subprocess.CalledProcessError) -> str:
    if isinstance(error, subprocess.CalledProcessError):
        lines = (error.output or b"").decode(errors="replace").strip().splitlines()
        return lines[-1].strip() if lines else f"exit code {error.returncode}"
    return str(getattr(error, "reason", error))


def main(arguments: Sequence[str]) -> int:
    """Run the command line; return its exit code, 2 for what the user has to mend."""
    try:
        if len(arguments) < 2 or arguments[1].startswith("-"):  # noqa: PLR2004 — action and stack
            raise PulumiCliError(USAGE)
        return run(arguments[0], arguments[1], arguments[2:])
    except (PulumiCliError, StackFileError, LockedError) as error:
        print(f"piray: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

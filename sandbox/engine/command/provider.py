"""Commands, local and over SSH, as pulumi-command 1.2.1 runs them.

https://github.com/pulumi/pulumi-command/tree/v1.2.1/provider/pkg/provider
Not here, and refused: passwords, `environment` over SSH, assets. The output of the previous run goes
into the environment of local commands only; most SSH servers refuse it from the real provider, too.
"""

import json
import os
import secrets
import signal
import subprocess
from collections.abc import Mapping
from typing import Any

from sandbox.engine.command.ssh import run_over_ssh
from sandbox.engine.provider import Context, Diff, ProviderError
from sandbox.engine.stack.resource import Resource
from sandbox.engine.wire.marks import UNKNOWN
from sandbox.engine.wire.values import changed_paths, plain


class Command:
    """Resources `command:local:Command` and `command:remote:Command`."""

    def check(self, name: str, inputs: dict[str, Any], old: Resource | None) -> dict[str, Any]:
        """Return the inputs as they are."""
        return inputs

    def diff(self, old: Resource, new: Mapping[str, Any], context: Context) -> Diff:
        """Compare the inputs; another trigger replaces the command."""
        paths = list(changed_paths(plain(old.inputs), new))
        # A trigger that changes inside its list replaces by the `replaceOnChanges` of the generated SDKs.
        return Diff(paths, replace=("triggers",) in paths)

    def preview(self, old: Resource | None, new: Mapping[str, Any], context: Context) -> dict[str, Any]:
        """Return the inputs: any change of them may change what the command prints, and nothing else does."""
        if old is not None and not any(changed_paths(plain(old.inputs), new)):
            return {**new, **{key: plain(old.outputs.get(key, "")) for key in ("stdout", "stderr")}}
        return {**new, "stdout": UNKNOWN, "stderr": UNKNOWN}

    def create(self, name: str, new: Mapping[str, Any], context: Context) -> tuple[str, dict[str, Any]]:
        """Run `create` if there is one."""
        said = _run(new.get("create"), new, {}, context)
        return f"{name}{secrets.token_hex(4)}", {**new, **said}

    def update(self, old: Resource, new: Mapping[str, Any], context: Context) -> dict[str, Any]:
        """Run `update`, or `create` if there is none."""
        said = {key: plain(old.outputs.get(key, "")) for key in ("stdout", "stderr")}
        return {**new, **said, **_run(new.get("update") or new.get("create"), new, said, context)}

    def read(self, old: Resource, context: Context) -> str | None:
        """See no difference: nobody can tell what a command has left."""
        return ""

    def delete(self, old: Resource, context: Context) -> None:
        """Run `delete` if there is one."""
        outputs = plain(old.outputs)
        _run(outputs.get("delete"), outputs, outputs, context)


def _run(
    command: str | None, inputs: Mapping[str, Any], previous: Mapping[str, Any], context: Context
) -> dict[str, str]:
    """Run a command if there is one and return its outputs."""
    if command is None:
        return {"stdout": "", "stderr": ""} if not previous else {}
    if "connection" in inputs:
        done, both = run_over_ssh(command, inputs, context)
        reason = f"Process exited with status {done.returncode}"
    else:
        done, both = _run_here(command, inputs, previous, context)
        reason = _as_go_says(done.returncode)
    _log(done, inputs.get("logging", "stdoutAndStderr"), context)
    if done.returncode != 0:
        raise ProviderError(f"{reason}: running {json.dumps(command)}:\n{both}")
    return {"stdout": done.stdout.removesuffix("\n"), "stderr": done.stderr.removesuffix("\n")}


def _log(done: "subprocess.CompletedProcess[str]", logging: str, context: Context) -> None:
    """Show what a command has printed, secret or not, unless the program wants none of it shown."""
    for name, text in (("stdout", done.stdout), ("stderr", done.stderr)):
        if name in logging.lower():
            for line in text.splitlines():
                context.say(line)


def _as_go_says(code: int) -> str:
    return f"exit status {code}" if code >= 0 else f"signal: {str(signal.strsignal(-code)).lower()}"


def _run_here(
    command: str, inputs: Mapping[str, Any], previous: Mapping[str, Any], context: Context
) -> "tuple[subprocess.CompletedProcess[str], str]":
    if unknown := inputs.keys() & {"assetPaths", "archivePaths"}:
        raise ProviderError(f"the test engine cannot do {', '.join(sorted(unknown))} of a local Command")
    env = {**os.environ, **{key: str(value) for key, value in inputs.get("environment", {}).items()}}
    if inputs.get("addPreviousOutputInEnv", True):
        names = {"stdout": "PULUMI_COMMAND_STDOUT", "stderr": "PULUMI_COMMAND_STDERR"}
        env |= {names[key]: previous[key] for key in names if previous.get(key)}
    try:
        done = subprocess.run(
            [*(inputs.get("interpreter") or ["/bin/sh", "-c"]), command],
            input=inputs.get("stdin") or "",
            cwd=inputs.get("dir"),
            env=env,
            capture_output=True,
            text=True,
            timeout=context.timeout_s,
            check=False,
            # An interrupt of the terminal is for the engine, which lets the command end.
            start_new_session=True,
        )
    except subprocess.TimeoutExpired as error:
        raise ProviderError(f"context deadline exceeded: running {json.dumps(command)}") from error
    return done, done.stdout + done.stderr

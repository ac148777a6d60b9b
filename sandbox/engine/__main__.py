"""The project's test engine: Pulumi's mocks with each resource performed, called as `pulumi` is.

With sandbox/engine/bin first on PATH, `python -m infra.pulumi_cli …` and `piray run …` use it unchanged.
A test double for machines where the real engine cannot be had: it knows only what this project's program and
its tests ask for, and where it and the real engine differ, it is wrong.
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from sandbox.engine.arguments import parse
from sandbox.engine.stack.encrypted import EncryptedError, read_config, remove_value, set_secret
from sandbox.engine.stack.files import project_file, stack_file
from sandbox.engine.stack.locks import cancel, locked
from sandbox.engine.stack.resource import STACK_TYPE
from sandbox.engine.stack.state import State, StateError, state_path
from sandbox.engine.version import VERSION
from sandbox.engine.wire.values import is_secret, plain

_FAILED = 255


class UsageError(Exception):
    """The command line, or what it is about, is wrong; the text is one line for the user."""


def main(arguments: Sequence[str]) -> int:
    """Run the command line and return its exit code."""
    options = parse(arguments)
    if options.command == "version":
        print(f"v{VERSION}")
        return 0
    try:
        return _COMMANDS.get(options.command, _deploy)(options)
    except (UsageError, StateError, EncryptedError) as error:
        print(f"error: {error}", file=sys.stderr)
        return _FAILED


def _init(options: argparse.Namespace) -> None:
    path = state_path(os.environ, _project(), options.stack)
    if path.exists():
        raise UsageError(f"stack '{options.stack}' already exists")
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    State(path, os.environ).save()
    if not options.no_select:
        _selected().write_text(options.stack)


def _select(options: argparse.Namespace) -> None:
    if options.create and not state_path(os.environ, _project(), options.stack).exists():
        _init(argparse.Namespace(stack=options.stack, no_select=False))
    _existing(options.stack)
    _selected().write_text(options.stack)


def _output(options: argparse.Namespace) -> None:
    outputs = next((one.outputs for one in _load(options).resources if one.type == STACK_TYPE), {})
    hidden = {key: "[secret]" if is_secret(value) else value for key, value in outputs.items()}
    print(json.dumps(plain(outputs if options.show_secrets else hidden), indent=2))


def _remove(options: argparse.Namespace) -> None:
    # Forced, it needs no passphrase: nothing in the state is read.
    if not options.force and _load(options).resources:
        raise UsageError(f"'{options.stack}' still has resources; removal rejected")
    _existing(options.stack).unlink()
    if not options.preserve_config:
        stack_file(Path.cwd(), options.stack).unlink(missing_ok=True)
    _selected().unlink(missing_ok=True)


def _export(options: argparse.Namespace) -> None:
    state = _load(options)
    text = json.dumps(state.shown()) if options.show_secrets else state.path.read_text()
    if options.file is None:
        print(text)
    else:
        options.file.write_text(text)


def _import(options: argparse.Namespace) -> None:
    """Take a state in the place of the stack's own, without the operations that are pending in it."""
    path = _load(options).path
    text = sys.stdin.read() if options.file is None else options.file.read_text()
    with locked(path):
        unfinished = path.with_suffix(".imported")
        unfinished.touch(mode=0o600)
        unfinished.write_text(text)
        unfinished.replace(path)
        state = State(path, os.environ)
        for one in state.pending_operations:
            message = f"removing pending operation '{one.type}' on '{one.resource.urn}' from snapshot"
            print(f"warning: {message}", file=sys.stderr)
        state.pending_operations = []
        state.save()


def _show(options: argparse.Namespace) -> None:
    """Print what is there, and where in it each resource belongs."""
    resources = _load(options).resources
    print(f"Current stack is {options.stack or _selected().read_text()}:")
    print(f"Current stack resources ({len(resources)}):\n    TYPE{' ' * 40}NAME")
    depth = {"": -1}
    for one in resources:
        depth[one.urn] = depth.get(one.parent, -1) + 1
        print(f"    {'  ' * depth[one.urn]}{one.type}  {one.name}")
        if options.show_urns:
            print(f"    {'  ' * depth[one.urn]}  URN: {one.urn}")


_STACK_ACTIONS = {
    None: _show,
    "init": _init,
    "select": _select,
    "output": _output,
    "rm": _remove,
    "export": _export,
    "import": _import,
}


def _stack(options: argparse.Namespace) -> int:
    _STACK_ACTIONS[options.action](options)
    return 0


def _cancel(options: argparse.Namespace) -> int:
    cancel(_existing(options.stack or _selected().read_text()))
    return 0


def _forget(options: argparse.Namespace) -> int:
    state = _load(options)
    found = [one for one in state.resources if one.urn == options.urn]
    if not found:
        raise UsageError(f"No such resource {options.urn!r} exists in the current state")
    if dependents := [one.urn for one in state.resources if options.urn in one.needs]:
        raise UsageError(f"{options.urn} can't be safely deleted because these depend on it: {dependents}")
    for one in found:
        state.remove(one)
    state.save()
    return 0


def _config(options: argparse.Namespace) -> int:
    name = options.stack or _selected().read_text()
    _existing(name)
    if options.action == "rm":
        remove_value(Path.cwd(), name, options.key)
    elif options.action == "set":
        if not options.secret:
            raise UsageError("the test engine stores encrypted values only: add --secret")
        value = options.value if options.value is not None else sys.stdin.read().removesuffix("\n")
        set_secret(Path.cwd(), name, options.key, value, os.environ)
    else:
        _show_config(name, as_json=options.json, show_secrets=options.show_secrets)
    return 0


def _show_config(name: str, *, as_json: bool, show_secrets: bool) -> None:
    texts, encrypted = read_config(name, Path.cwd(), os.environ)
    shown: dict[str, dict[str, object]] = {}
    for key, text in sorted(texts.items()):
        shown[key] = {"secret": key in encrypted}
        if show_secrets or key not in encrypted:
            shown[key]["value"] = text
            if text.startswith(("{", "[")):
                shown[key]["objectValue"] = json.loads(text)
    if as_json:
        print(json.dumps(shown, indent=2))
    else:
        print("\n".join(f"{key}  {one.get('value', '[secret]')}" for key, one in shown.items()))


_COMMANDS = {"stack": _stack, "state": _forget, "config": _config, "cancel": _cancel}


def _deploy(options: argparse.Namespace) -> int:
    print("This is piray's test engine (sandbox/engine), not Pulumi.", file=sys.stderr, flush=True)
    if options.command != "preview" and not options.yes:
        if options.non_interactive or not sys.stdin.isatty():
            raise UsageError("--yes must be passed in to proceed when running in non-interactive mode")
        if input(f"Do you want to perform this {options.command}? [yes/no] ").strip() != "yes":
            return _FAILED
    path = _load(options).path
    # The SDK takes longer to import than all of the other commands together.
    from sandbox.engine.deploy import deploy  # noqa: PLC0415

    done = deploy(
        options.command,
        Path.cwd(),
        path,
        project=_project(),
        replace=options.replace,
        log=options.event_log,
        quiet=options.json,
        only_same=options.expect_no_changes,
        refresh=options.refresh,
    )
    return 0 if done else _FAILED


def _project() -> str:
    try:
        return str(project_file(Path.cwd())["name"])
    except OSError as error:
        raise UsageError("no Pulumi.yaml project file found in this folder") from error


def _selected() -> Path:
    return state_path(os.environ, _project(), "selected").with_suffix("")


def _load(options: argparse.Namespace) -> State:
    name = options.stack or (_selected().read_text() if _selected().exists() else "")
    return State(_existing(name), os.environ)


def _existing(stack: str) -> Path:
    path = state_path(os.environ, _project(), stack)
    if not path.exists():
        raise UsageError(f"no stack named '{stack}' found")
    return path


if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    # Threads of registrations that will never be answered must not keep the process.
    os._exit(code)

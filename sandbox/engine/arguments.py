"""The command line of the test engine: what this project uses of `pulumi`, or tells its users to call."""

import argparse
from collections.abc import Sequence
from pathlib import Path

_SHORT = {"--yes": "-y", "--create": "-c", "--force": "-f", "--json": "-j", "--show-urns": "-u"}


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Parse a command line; the result has `command`, its `action` where it has some, and all options."""
    parser = argparse.ArgumentParser(prog="pulumi", allow_abbrev=False)
    parser.set_defaults(stack=None, non_interactive=False, action=None)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("version")
    for name in ("up", "preview", "destroy"):
        flags = ["--yes", "--skip-preview", "--json", "--expect-no-changes", "--refresh"]
        command = _command(commands, name, *flags)
        command.add_argument("--replace", action="append", default=[])
        command.add_argument("--event-log", type=Path)
    _command(commands, "cancel", "--yes")
    state = _command(commands, "state").add_subparsers(dest="action", required=True)
    _command(state, "delete", "--yes").add_argument("urn")
    _add_stack_actions(_command(commands, "stack", "--show-urns").add_subparsers(dest="action"))
    config = _command(commands, "config", "--json", "--show-secrets").add_subparsers(dest="action")
    _command(config, "rm", "--path").add_argument("key")
    setting = _command(config, "set", "--secret", "--path")
    setting.add_argument("key")
    setting.add_argument("value", nargs="?")
    return parser.parse_args(arguments)


def _add_stack_actions(stack: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    for name, flags in {
        "init": ["--no-select"],
        "select": ["--create"],
        "rm": ["--yes", "--force", "--preserve-config"],
    }.items():
        _command(stack, name, *flags, named=False).add_argument("stack")
    for name in ("export", "import"):
        action = _command(stack, name, *(["--show-secrets"] if name == "export" else []))
        action.add_argument("--file", type=Path)
    _command(stack, "output", "--json", "--show-secrets")


def _command(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    *flags: str,
    named: bool = True,
) -> argparse.ArgumentParser:
    """Add a command with its flags, and with those that every command has; `named` is one with --stack."""
    # Suppressed: an action must not take back what stands before it.
    command = commands.add_parser(name, allow_abbrev=False)
    command.add_argument("--non-interactive", action="store_true", default=argparse.SUPPRESS)
    if named:
        command.add_argument("--stack", "-s", default=argparse.SUPPRESS)
    for flag in flags:
        command.add_argument(flag, *[_SHORT[flag]] if flag in _SHORT else [], action="store_true")
    return command

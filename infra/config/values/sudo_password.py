"""The password that sudo asks for on a host: what a usable one is, and that it is never stored in clear."""

from collections.abc import Mapping
from typing import Any

from infra.config.problems import HIDDEN, InvalidValueError, ProblemList
from infra.config.values.ssh_keys import Secret

KEY = "sudoPassword"


def parse_sudo_password(value: object) -> Secret:
    """Return the password of a user who may run sudo with it.

    Raises:
        InvalidValueError: If sudo could not read it from its standard input; tells nothing of the value.
    """
    if isinstance(value, Secret):
        return value
    # YAML takes digits for a number.
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not value or any(char in value for char in "\n\r\0"):
        raise InvalidValueError(
            "must be text of exactly one line, because sudo reads no more of it",
            f"Store it with {_set_command(())}.",
        )
    try:
        value.encode()
    except UnicodeEncodeError:
        raise InvalidValueError("holds half a character", f"Store it with {_set_command(())}.") from None
    return Secret(value)


def check_stored_encrypted(
    tree: Mapping[str, Any], secret_keys: frozenset[str], problems: ProblemList
) -> None:
    """Refuse passwords that everyone can read who sees the stack file.

    Of a list Pulumi only says that something in it is encrypted; the file itself is checked more closely
    (infra/config/stack_file.py).

    Args:
        tree: The fields that could be read.
        secret_keys: Top-level keys that are encrypted, or hold something encrypted.
        problems: Gets every password in clear.
    """
    places: list[tuple[str | int, ...]] = []
    if tree.get("sudo_password") and KEY not in secret_keys:
        places.append((KEY,))
    if "hosts" not in secret_keys:
        hosts = enumerate(tree.get("hosts", []))
        places += [("hosts", index, KEY) for index, host in hosts if host.get("sudo_password") is not None]
    for place in places:
        problems.add(
            place,
            HIDDEN,
            "is stored as plain text, which everyone who sees the stack file can read",
            "Remove the line, give the user another password on the Pi (`passwd`), and store that with "
            f"{_set_command(place)}.",
        )


def _set_command(place: tuple[str | int, ...]) -> str:
    """Return the words with which the CLI stores a password, which it asks for."""
    if len(place) > 1:
        return f"`pulumi config set --path --secret 'piray:hosts[{place[1]}].{KEY}' --stack STACK`"
    return f"`pulumi config set --secret piray:{KEY} --stack STACK`"

"""What answers are checked by: the same types and rules that read the stack file later."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import TypeAdapter, ValidationError

from infra.config.parse import parse
from infra.config.problems import ConfigError, InvalidValueError


class InitError(Exception):
    """What the user has to mend before this can go on; the text names value, rule and remedy."""


def check_value(kind: Any, value: object) -> Any:
    """Return a single answer as the stack file would hold it.

    Args:
        kind: A type of `infra/config/values/fields.py`.
        value: The answer.

    Raises:
        InvalidValueError: With the rule and the remedy of that type.
    """
    try:
        return TypeAdapter(kind).validate_python(value)
    except ValidationError as error:
        reason = error.errors(include_url=False)[0].get("ctx", {}).get("error")
        if isinstance(reason, InvalidValueError):
            raise reason from None
        raise


def check_hosts(hosts: Sequence[Mapping[str, object]], *, servers: bool = True) -> None:
    """Check hosts beside each other: names and addresses that are there twice, the number of servers.

    Args:
        hosts: Entries as in a stack file; their keys are checked elsewhere.
        servers: Whether their roles are decided.

    Raises:
        InvalidValueError: With every rule that is broken.
    """
    # While roles are open, the first host stands for the one server that there has to be.
    entries = (
        hosts if servers else [{**host, "role": "agent" if i else "server"} for i, host in enumerate(hosts)]
    )
    settings = {"platform": "pi", "insecureHostKeys": True, "workers": 0, "ssh": {"user": "checked"}}
    try:
        parse({**settings, "hosts": entries})
    except ConfigError as error:
        rules = dict.fromkeys(problem.rule for problem in error.problems)
        remedies = dict.fromkeys(problem.remedy for problem in error.problems)
        raise InvalidValueError("; it ".join(rules), " ".join(remedies)) from None


def check_stack_name(name: str) -> str:
    """Return the name of a stack as Pulumi takes it.

    Raises:
        InvalidValueError: If it is none.
    """
    if not re.fullmatch(r"\w[\w.-]*", name, re.ASCII):
        raise InvalidValueError(
            "is not the name of a stack", "Use letters, digits, '-', '_' and '.', as in home."
        )
    return name

"""Reads a tree of configuration field by field, so that one mistake never hides another.

Pydantic alone keeps nothing of a model with a mistake in it. Here each field is read on its own by the types
of the model, the good ones are kept for the rules between fields, and every mistake becomes a problem.
"""

import difflib
import json
from collections.abc import Mapping
from functools import cache
from types import NoneType
from typing import Annotated, Any, get_args, get_origin

from pydantic import ConfigDict, TypeAdapter, ValidationError

from infra.config.problems import ABSENT, InvalidValueError, ProblemList
from infra.config.section import Section
from infra.names import camel_case

# In place of a value that is encrypted and cannot be read here: taken to be good, and no field of the result.
ENCRYPTED = object()


def decode(section: type[Section], values: Mapping[str, object]) -> dict[str, object]:
    """Decode the keys that hold lists or objects; Pulumi hands everything over as text.

    Text that is no JSON is left as it is, for `read_section` to refuse. Empty text, which is how a key with
    no value arrives, becomes None unless it is the default.

    Args:
        section: Model of the top level; tells which keys are more than plain text.
        values: Un-namespaced key → text, or a value that is decoded already.
    """
    decoded = dict(values)
    for name, field in section.model_fields.items():
        key = field.alias or name
        text = values.get(key)
        if text in ("", "null") and text != field.get_default():
            decoded[key] = None
        elif isinstance(text, str) and (_section_of(section, name) or _entry_of(section, name)):
            try:
                decoded[key] = json.loads(text)
            except (ValueError, RecursionError):
                continue
    return decoded


def read_section(
    section: type[Section], raw: object, path: tuple[str | int, ...], problems: ProblemList
) -> dict[str, Any]:
    """Read one object of the configuration and all that is in it.

    Args:
        section: Model of the object; its aliases are the keys.
        raw: What the configuration holds there.
        path: Where that is; empty for the top level.
        problems: Gets every mistake.

    Returns:
        Field name → value, defaults filled in. A field with a mistake is missing. An object is a dict like
        this one; a list of objects is a list of such dicts, one for each entry, in their order.
    """
    if raw is ENCRYPTED:
        return {}
    if section.SHORT and isinstance(raw, str):
        return _read_short(section, raw, path, problems)
    if not isinstance(raw, Mapping):
        known = ", ".join(field.alias or name for name, field in section.model_fields.items())
        remedy = f"Write one `key: value` per line below it; the keys here are {known}."
        problems.add(path, raw, "must hold keys with values", remedy)
        return {}
    keys = {field.alias or name: name for name, field in section.model_fields.items()}
    for key in raw:
        if key not in keys:
            # The value is not shown: under a misspelt name it may be a secret.
            problems.add(
                (*path, str(key)), ABSENT, "is not a key of this program", _suggest(section, str(key), keys)
            )
    values: dict[str, Any] = {}
    for key, name in keys.items():
        field = section.model_fields[name]
        if key in raw:
            _read_field(section, name, raw[key], (*path, key), problems=problems, values=values)
        elif field.is_required():
            about = _ABOUT[".".join(step for step in (*path, key) if isinstance(step, str))]
            problems.add((*path, key), ABSENT, "is missing", f"Add a line `{key}: …`. {about}")
        else:
            values[name] = _as_read(field.get_default())
    return values


def _as_read(default: object) -> object:
    """Return a default in the shape of what is read: objects are dicts."""
    if not isinstance(default, Section):
        return default
    return {name: _as_read(value) for name, value in default}


def _read_short(
    section: type[Section], raw: str, path: tuple[str | int, ...], problems: ProblemList
) -> dict[str, Any]:
    """Read an object that is given as a text, which is one of its fields; a mistake has the object's path."""
    values = read_section(section, {}, path, problems)
    del values[section.SHORT]
    _read_field(section, section.SHORT, raw, path, problems=problems, values=values)
    return values


# What to write where a required key is missing; without the indices of lists.
_ABOUT = {
    "platform": "It is pi for Raspberry Pis, or local for this machine alone.",
    "hosts.name": "It is the Pi's own hostname.",
    "hosts.address": "It is the fixed address of the Pi in your network.",
    "hosts.role": "It is server for the Pi that runs Kubernetes itself, agent for the others.",
    "ray.groups.name": "It is a name for workers that are alike, as in small.",
    "ray.groups.replicas": "It is the number of workers in the group.",
    "ray.jobs.name": "It is the name of the RayJob.",
    "ray.jobs.entrypoint": "It is the command that the job runs.",
    "ray.jobs.deletionRules.status": "It is SUCCEEDED, FAILED or STOPPED.",
    "ray.cronJobs.name": "It is the name of the RayCronJob.",
    "ray.cronJobs.entrypoint": "It is the command that the job runs.",
    "ray.cronJobs.schedule": 'It is when the job runs, as cron has it: "30 3 * * *" is every night at 03:30.',
    "ray.cronJobs.deletionRules.status": "It is SUCCEEDED, FAILED or STOPPED.",
    "ray.services.name": "It is the name of the RayService.",
    "ray.services.importPath": "It is MODULE:NAME of the application, as in hello:app.",
    "ssh.proxy.address": "It is the address or the name of the jump host, not that of a Pi; delete "
    "ssh.proxy if this machine reaches the Pis directly.",
}


def _read_field(
    section: type[Section],
    name: str,
    raw: object,
    path: tuple[str | int, ...],
    *,
    problems: ProblemList,
    values: dict[str, Any],
) -> None:
    """Read one field that is given, and store it in `values` if it is good."""
    if raw is ENCRYPTED or (isinstance(raw, list) and ENCRYPTED in raw and not _entry_of(section, name)):
        return
    if raw is None and (keys := _keys_in(section, name)):
        remedy = f"Write its keys ({', '.join(keys)}) below it, two blanks further in, or delete the line."
        problems.add(path, raw, "is empty", remedy)
    elif raw is None:
        problems.add(path, raw, "is empty", "Write a value, or delete the line to get the default.")
    elif inner := _section_of(section, name):
        values[name] = read_section(inner, raw, path, problems)
    elif entry := _entry_of(section, name):
        if isinstance(raw, list | tuple):
            values[name] = [read_section(entry, item, (*path, i), problems) for i, item in enumerate(raw)]
        else:
            first = next(iter(_keys_in(section, name)))
            remedy = (
                f"Begin each entry with a hyphen and a blank: `- {first}: …`, and its other keys below it."
            )
            problems.add(path, raw, "must be a list", remedy)
    else:
        try:
            values[name] = _adapter(section, name).validate_python(raw)
            return
        except ValidationError as error:
            mistakes = error.errors(include_url=False)
        for mistake in mistakes:
            _add_mistake(
                path + mistake["loc"], mistake["input"], mistake.get("ctx", {}).get("error"), problems
            )


def _add_mistake(path: tuple[str | int, ...], value: object, error: object, problems: ProblemList) -> None:
    if not isinstance(error, InvalidValueError):
        raise AssertionError(f"a check of {path} must raise InvalidValueError")
    problems.add(path, value, error.rule, error.remedy)


@cache
def _type_of(section: type[Section], name: str) -> Any:
    """Return the type of a field's value when it is given: `X` for a field of `X | None`."""
    field = section.model_fields[name]
    members = get_args(field.annotation)
    if NoneType in members:
        (only,) = (member for member in members if member is not NoneType)
        return only
    return Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation


@cache
def _adapter(section: type[Section], name: str) -> TypeAdapter[Any]:
    return TypeAdapter(_type_of(section, name), config=ConfigDict(arbitrary_types_allowed=True))


def _section_of(section: type[Section], name: str) -> type[Section] | None:
    """Return the model of a field that is an object."""
    kind = _type_of(section, name)
    return kind if isinstance(kind, type) and issubclass(kind, Section) else None


def _entry_of(section: type[Section], name: str) -> type[Section] | None:
    """Return the model of the entries of a field that is a list of objects."""
    kind = _type_of(section, name)
    entry = get_args(kind)[0] if get_origin(kind) is tuple else None
    return entry if isinstance(entry, type) and issubclass(entry, Section) else None


def _suggest(section: type[Section], key: str, keys: Mapping[str, str]) -> str:
    """Return what to do with a key that a section does not have.

    Args:
        section: Model of the section.
        key: The key.
        keys: Its keys, and the fields that they are.
    """
    known = list(keys)
    outer, dot, inner = key.partition(".")
    if dot and outer in known:
        # As the documentation writes a key inside another one, and as no YAML file does.
        return f"Write `{inner}: …` on a line of its own below `{outer}:`, two blanks further in."
    below = [other for other, name in keys.items() if key in _keys_in(section, name)]
    if len(below) == 1:
        return f"It is a key of `{below[0]}`: write it below `{below[0]}:`, two blanks further in."
    near = difflib.get_close_matches(camel_case(key[:64].replace("-", "_")), known, n=1)
    return f"Did you mean {near[0]}?" if near else f"Delete it; the keys here are {', '.join(known)}."


def _keys_in(section: type[Section], name: str) -> list[str]:
    """Return the keys of a field that is an object or a list of objects."""
    inner = _section_of(section, name) or _entry_of(section, name)
    return [field.alias or name for name, field in inner.model_fields.items()] if inner else []

"""Property values as they travel to Pulumi's engine: JSON, with marks for what is secret or unknown."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sandbox.engine.wire.marks import SECRET, SIGNATURE, UNKNOWN

Path = tuple[str | int, ...]

# Shorter words of a secret also occur where nobody leaked them.
_TELLING = re.compile(r"[\w+/=:.-]{32,}")


def secret(value: Any) -> Any:
    """Return the value marked as secret; once is enough."""
    return value if is_secret(value) else {SIGNATURE: SECRET, "value": value}


def is_secret(value: Any) -> bool:
    """Say whether the value itself, not only something inside it, is marked as secret."""
    return isinstance(value, Mapping) and value.get(SIGNATURE) == SECRET


def plain(value: Any) -> Any:
    """Return the value without marks of secrets, without empty members and with whole numbers as such."""
    if is_secret(value):
        return plain(value["value"])
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [plain(item) for item in value]
    # Protobuf has no other numbers than floats.
    return int(value) if isinstance(value, float) and value.is_integer() else value


def has_unknown(value: Any) -> bool:
    """Say whether anything in the value is known only after something has been done."""
    if isinstance(value, Mapping):
        return any(has_unknown(item) for item in value.values())
    if isinstance(value, list):
        return any(has_unknown(item) for item in value)
    return bool(value == UNKNOWN)


def with_secrets(
    outputs: Mapping[str, Any], inputs: Mapping[str, Any], names: Sequence[str]
) -> dict[str, Any]:
    """Return outputs with everything secret that is secret in the inputs, or has one of the names."""
    marked = _mark_like(outputs, inputs)
    return {key: secret(item) if key in names else item for key, item in marked.items()}


def _mark_like(value: Any, model: Any) -> Any:
    if is_secret(model):
        return secret(value)
    if isinstance(value, Mapping) and isinstance(model, Mapping) and not is_secret(value):
        return {key: _mark_like(item, model.get(key)) for key, item in value.items()}
    if isinstance(value, list) and isinstance(model, list) and len(value) == len(model):
        return [_mark_like(*pair) for pair in zip(value, model, strict=True)]
    return value


def changed_paths(old: Any, new: Any, at: Path = ()) -> Iterator[Path]:
    """Yield where two plain values differ; what is unknown differs from everything."""
    if (old or new) and all(each is None or isinstance(each, Mapping) for each in (old, new)):
        before, after = old or {}, new or {}
        for key in sorted(before.keys() | after.keys()):
            yield from changed_paths(before.get(key), after.get(key), (*at, key))
    elif isinstance(old, list) and isinstance(new, list):
        for index in range(max(len(old), len(new))):
            before, after = (items[index] if index < len(items) else None for items in (old, new))
            yield from changed_paths(before, after, (*at, index))
    elif old != new or new == UNKNOWN:
        yield at


def touches(paths: Sequence[Path], pattern: str) -> bool:
    """Say whether one of the paths is at, in or around a pattern such as `triggers[*]` or `spec.template`."""
    wanted = [part for part in re.split(r"[.\[\]]+", pattern) if part]
    return any(
        all(want in ("*", str(part)) for want, part in zip(wanted, path, strict=False)) for path in paths
    )


def open_texts(value: Any) -> Iterator[str]:
    """Yield every text of a value that is in no secret, keys included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping) and not is_secret(value):
        for key, item in value.items():
            yield key
            yield from open_texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from open_texts(item)


def telling_words(value: Any, *, secret_ones: bool, inside: bool = False) -> Iterator[str]:
    """Yield the long words of a value: those in its secrets, or those outside of them."""
    if is_secret(value):
        yield from telling_words(value["value"], secret_ones=secret_ones, inside=True)
    elif isinstance(value, Mapping | list):
        for item in value.values() if isinstance(value, Mapping) else value:
            yield from telling_words(item, secret_ones=secret_ones, inside=inside)
    elif isinstance(value, str) and inside == secret_ones and value != UNKNOWN:
        yield from _TELLING.findall(value)

"""Renders the changes of a preview as the Markdown of one comment in a pull request. Pure; no Pulumi."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from infra.preview.digest import OPERATIONS, Change
from infra.preview.effects import effect_of

# The workflow finds its own comment by this line and replaces it, so that a pull request has one and no more.
MARK = "<!-- piray preview -->"
_WORDS = {
    **dict(zip(OPERATIONS, ("created", "updated", "replaced", "deleted"), strict=True)),
    "perhaps": "perhaps changed",
}


@dataclass(frozen=True)
class StackChanges:
    """What changes in one stack.

    Attributes:
        changes: The resources that change.
        hidden: Names of the Commands that could not be compared.
    """

    changes: Sequence[Change]
    hidden: Sequence[str] = ()


def render_comment(stacks: Mapping[str, StackChanges]) -> str:
    """Return the comment.

    Args:
        stacks: By name of the stack, what changes there.
    """
    parts = [MARK, "## What this pull request changes"]
    for name, stack in stacks.items():
        parts += [f"### Stack `{name}`", _verdict(stack.changes)]
        parts += [_table(stack.changes)] if stack.changes else []
        parts += [_hidden_note(stack.hidden)] if stack.hidden else []
    return "\n\n".join(parts) + "\n"


def _verdict(changes: Sequence[Change]) -> str:
    if not changes:
        return "Changes no resource."
    counted = [
        f"{count} {'resource is' if count == 1 else 'resources are'} {word}"
        for operation, word in _WORDS.items()
        if (count := sum(change.operation == operation for change in changes))
    ]
    certain = _restarts(change for change in changes if change.operation != "perhaps")
    perhaps = _restarts(change for change in changes if change.operation == "perhaps")
    said = [f"**Restarts** {'; '.join(certain)}."] if certain else []
    if more := [one for one in perhaps if one not in certain]:
        said.append(f"**May restart** {'; '.join(more)}.")
    return " ".join([f"{', '.join(counted)}.", *(said or ["**Restarts nothing.**"])])


def _restarts(changes: Iterable[Change]) -> list[str]:
    effects = map(effect_of, changes)
    return list(dict.fromkeys(effect.restarts for effect in effects if effect.restarts))


def _hidden_note(names: Sequence[str]) -> str:
    shown = ", ".join(f"`{name}`" for name in names)
    return (
        "Not compared, because their input is secret or known only during `up` (a new version of k3s reaches "
        f"all hosts through them): {shown}. No SSH connection is compared, either."
    )


def _table(changes: Sequence[Change]) -> str:
    rows = [
        f"| `{change.name}` | {_WORDS[change.operation]} | {effect_of(change).words} |" for change in changes
    ]
    return "\n".join(["| Resource | | What it means |", "|---|---|---|", *rows])

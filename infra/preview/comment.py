"""Renders the changes of a preview as the Markdown of one comment in a pull request. Pure; no Pulumi."""

from collections.abc import Iterable, Mapping, Sequence

from infra.preview.digest import OPERATIONS, Change
from infra.preview.effects import effect_of

# The workflow finds its own comment by this line and replaces it, so that a pull request has one and no more.
MARK = "<!-- piray preview -->"
_WORDS = {
    **dict(zip(OPERATIONS, ("created", "updated", "replaced", "deleted"), strict=True)),
    "perhaps": "perhaps changed",
}
_NOT_SEEN = (
    "A preview shows neither secrets (the SSH connection to a host is one) nor what only a running cluster "
    "knows: a change of these alone is not in this comment."
)


def render_comment(changes: Mapping[str, Sequence[Change]]) -> str:
    """Return the comment.

    Args:
        changes: By name of the stack, what changes there.
    """
    parts = [MARK, "## What this pull request changes"]
    for stack, of_stack in changes.items():
        parts += [f"### Stack `{stack}`", _verdict(of_stack), *([_table(of_stack)] if of_stack else [])]
    return "\n\n".join([*parts, _NOT_SEEN]) + "\n"


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


def _table(changes: Sequence[Change]) -> str:
    rows = [
        f"| `{change.name}` | {_WORDS[change.operation]} | {effect_of(change).words} |" for change in changes
    ]
    return "\n".join(["| Resource | | What it means |", "|---|---|---|", *rows])

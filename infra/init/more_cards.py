"""Writes the cards of a stack that exists, and pins the host keys of the new cards in its file."""

from collections.abc import Sequence
from pathlib import Path

from infra.config.model import HostConfig
from infra.init.cards.layout import (
    CardFolder,
    cards_of,
    find_folders,
    known_host_key,
    may_replace,
    plan_changes,
    write_changes,
)
from infra.init.cards.questions import ask_cards
from infra.init.closing import tell_cards
from infra.init.dialogue.files import kept_as, write_whole
from infra.init.dialogue.options import Options
from infra.init.dialogue.questions import Questions
from infra.init.dialogue.values import InitError
from infra.init.network.host_keys import HostKeyPair, generate
from infra.init.stack.existing import ExistingStack, read_existing
from infra.init.stack.text import with_host_keys


def make_cards(options: Options, questions: Questions, path: Path) -> None:
    """Write the cards of all Pis of a stack, or of those that were named.

    Args:
        options: What was said beforehand.
        questions: How the rest is asked.
        path: Of the stack file.

    Raises:
        InitError: With what is missing or wrong.
    """
    assert options.cards is not None
    try:
        stack = read_existing(path)
    except InitError as error:
        questions.problems.append(str(error))
        questions.refuse_problems()
        raise
    hosts = _chosen(options, questions, stack, path)
    addresses = [host.address for host in hosts]
    sudo = questions.choose(
        "Is sudo on these Pis to ask for a password",
        ("ask", "none"),
        yes="ask",
        option="--sudo-password",
        given=options.sudo_wanted,
        default="none",
    )
    asked = ask_cards(questions, options, addresses, stack.key_file, sudo_asks=sudo == "ask")
    folders = find_folders(options.cards, [host.name for host in hosts], questions.problems) if hosts else []
    questions.refuse_problems()
    pairs = [_key_pair(options, folder, host) for folder, host in zip(folders, hosts, strict=True)]
    cards = cards_of(folders, addresses, pairs, [stack.user_on(host) for host in hosts], asked)
    changes = plan_changes(zip(folders, cards, strict=True))
    may_replace(questions, changes, told=options.replace_cards)
    text = _with_new_keys(questions, stack, path, hosts, pairs, named=bool(options.card))
    write_changes(changes)
    if text != stack.text:
        mode = path.stat().st_mode & 0o777
        write_whole(kept_as(path), stack.text.encode(), mode)
        write_whole(path, text.encode(), mode)
    tell_cards(questions, options.name, folders, generated=any(pairs))


def _with_new_keys(
    questions: Questions,
    stack: ExistingStack,
    path: Path,
    hosts: Sequence[HostConfig],
    pairs: Sequence[HostKeyPair | None],
    *,
    named: bool,
) -> str:
    """Return the text of the stack file with the host keys of the new cards, if the user wants that."""
    changed = {
        host.name: (str(host.host_key), pair.public)
        for host, pair in zip(hosts, pairs, strict=True)
        if pair and pair.public != host.host_key
    }
    text = with_host_keys(stack.text, dict(changed.values()))
    if changed:
        questions.tell(
            f"{path.name} gets the host keys of the new cards of {', '.join(changed)}:\n"
            "these Pis with their old cards are no longer recognised. "
            f"The file as it is now is kept as {kept_as(path).name}."
        )
        if questions.interactive and not questions.confirm("Go on?"):
            remedy = (
                f"Say yes when the cards of {', '.join(changed)} are to be new; others need no files."
                if named
                else "Name the Pis whose cards are new by --card."
            )
            raise InitError(f"nothing was written.\n    {remedy}")
    return text


def _key_pair(options: Options, folder: CardFolder, host: HostConfig) -> HostKeyPair | None:
    # Where no key is pinned, whoever answers is trusted: such a Pi makes its own.
    if not options.generates or host.host_key is None:
        return None
    return known_host_key(folder, host.host_key) or generate()


def _chosen(options: Options, questions: Questions, stack: ExistingStack, path: Path) -> list[HostConfig]:
    names = [host.name for host in stack.hosts]
    for name in options.card:
        if name not in names:
            questions.problems.append(
                f"--card {name} is no Pi of {path.name}.\n    Its Pis are {', '.join(names)}."
            )
    chosen = [host for host in stack.hosts if host.name in (options.card or names)]
    unpinned = [host.name for host in chosen if host.host_key is None]
    if options.host_keys == "generate" and unpinned:
        questions.problems.append(
            f"--host-keys generate: {path.name} pins no host key of {', '.join(unpinned)}, so that none made "
            "here would be compared.\n    Leave it out, or give the host its hostKey in the file."
        )
    if questions.interactive:
        questions.refuse_problems()
    return chosen

"""Makes a stack file, with the cards of its Pis if they are wanted."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import yaml

from infra.config.parse import parse
from infra.config.problems import ConfigError
from infra.init.cards.layout import (
    CardFolder,
    Change,
    cards_of,
    find_folders,
    may_replace,
    plan_changes,
    write_changes,
)
from infra.init.cards.questions import CardAnswers, ask_cards
from infra.init.closing import run_doctor, tell_cards, tell_stack
from infra.init.dialogue.files import kept_as, read_bytes, write_whole
from infra.init.dialogue.options import Options
from infra.init.dialogue.questions import Questions
from infra.init.dialogue.values import InitError
from infra.init.network.host_keys import generate
from infra.init.stack.existing import secrets_keys
from infra.init.stack.interview import Draft, ask_stack
from infra.init.stack.sudo_password import store_sudo_password
from infra.init.stack.text import StackAnswers, stack_text
from infra.names import PROJECT


def make_stack(options: Options, questions: Questions, path: Path) -> int:
    """Make a stack file; return the exit status, which is the doctor's if it looked.

    Args:
        options: What was said beforehand.
        questions: How the rest is asked.
        path: Of the stack file. One that exists may be replaced.

    Raises:
        InitError: With what is missing or wrong.
    """
    draft = ask_stack(questions, options, scan=not options.generates)
    folders: list[CardFolder] = []
    changes: list[Change] = []
    if options.cards is None:
        questions.refuse_problems()
        answers = draft.finished()
    else:
        asked = _ask_cards(options, questions, draft)
        folders = find_folders(options.cards, [host["name"] for host in draft.hosts], questions.problems)
        questions.refuse_problems()
        answers, changes = _with_cards(options, draft.finished(), folders, asked)
        may_replace(questions, changes, told=options.replace_cards)
    text = stack_text(options.name, answers, secrets_keys(path))
    _check_text(text)
    write_changes(changes)
    if (old := read_bytes(path)) is not None:
        kept = kept_as(path)
        write_whole(kept, old)
        questions.tell(f"The old {path.name} is kept as {kept.name}.")
    write_whole(path, text.encode())
    tell_stack(questions, path, answers)
    stored = not answers.sudo_asks or store_sudo_password(questions, options.name, path)
    questions.tell(f"Next: `make preview STACK={options.name}`, then `make up STACK={options.name}`.")
    if options.cards is not None:
        tell_cards(questions, options.name, folders, generated=options.generates)
        return 0
    # Without the password the doctor would see half of a Pi.
    return run_doctor(options.name, path.parent) if options.doctor and stored else 0


def _ask_cards(options: Options, questions: Questions, draft: Draft) -> CardAnswers:
    if questions.interactive:
        # No further question for what cannot be written. Without a terminal all is told at once.
        questions.refuse_problems()
    return ask_cards(
        questions,
        options,
        [host["address"] for host in draft.hosts],
        draft.key_file,
        key_known=draft.key_known,
        sudo_asks=draft.sudo_asks,
    )


def _with_cards(
    options: Options, answers: StackAnswers, folders: list[CardFolder], asked: CardAnswers
) -> tuple[StackAnswers, list[Change]]:
    """Return the answers with the host keys of the cards, and the files of the cards."""
    addresses = [host["address"] for host in answers.hosts]
    pairs = [generate() if options.generates else None for _ in folders]
    cards = cards_of(folders, addresses, pairs, [answers.user] * len(folders), asked)
    hosts = [
        {**host, "hostKey": pair.public} if pair else host
        for host, pair in zip(answers.hosts, pairs, strict=True)
    ]
    return replace(answers, hosts=hosts), plan_changes(zip(folders, cards, strict=True))


def _check_text(text: str) -> None:
    """Read the new stack file as `make up` will: the rules between its keys are told before it is written."""
    config: Mapping[str, object] = yaml.safe_load(text)["config"]
    try:
        parse({key.removeprefix(f"{PROJECT}:"): value for key, value in config.items()})
    except ConfigError as error:
        raise InitError(str(error)) from None

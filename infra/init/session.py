"""One call of `piray init`: which of its two jobs it is, and which options have no meaning for that one."""

from collections.abc import Sequence
from pathlib import Path

from infra.config.problems import InvalidValueError
from infra.config.values.ssh_keys import SSH_PORT
from infra.init.cards.layout import check_place
from infra.init.dialogue.files import kept_as
from infra.init.dialogue.options import Options
from infra.init.dialogue.questions import Questions
from infra.init.dialogue.values import InitError
from infra.init.more_cards import make_cards
from infra.init.network.trust import check_fingerprints
from infra.init.new_stack import make_stack

PROJECT_DIR = Path(__file__).resolve().parent.parent.parent
# What a stack file that exists says already.
_OF_THE_STACK = ("host", "discover", "server", "user", "key_file", "agent", "port", "workers", "arch")
_OF_SCANS = ("accept_host_key", "trust_scanned_keys")
_OF_CARDS = ("card", "host_keys", "network", "prefix", "gateway", "dns") + (
    "public_key", "password_hash", "replace_cards"
)  # fmt: skip


def run(options: Options, questions: Questions) -> int:
    """Ask, write, and say what comes next; return the exit status. Nothing is written before all is decided.

    Raises:
        InitError: With what is missing or wrong; nothing has been written then, unless writing itself failed.
    """
    path = PROJECT_DIR / f"Pulumi.{options.name}.yaml"
    if options.host_keys not in (None, "generate", "scan"):
        questions.problems.append(
            f"--host-keys {options.host_keys} must be one of generate, scan.\n    Write one of these words."
        )
    if options.cards is not None:
        _check_place(questions, options.cards)
        _refuse_contradiction(questions, options)
    more = options.cards is not None and path.exists() and not options.replace_stack
    if options.cards is None:
        _refuse(questions, options, _OF_CARDS, "only with --cards DIR")
    elif more:
        _refuse(questions, options, (*_OF_THE_STACK, *_OF_SCANS), f"{path.name} says this already")
    else:
        _refuse_card(questions, options, path)
        _refuse_port(questions, options.port)
        if options.generates:
            _refuse(questions, options, _OF_SCANS, "the host keys are made for the cards")
    check_fingerprints(questions, options.accept_host_key)
    if questions.interactive:
        # Before the first question. Without a terminal they are told with all other mistakes.
        questions.refuse_problems()
    if more:
        make_cards(options, questions, path)
        return 0
    _may_replace(options, questions, path)
    return make_stack(options, questions, path)


def _refuse(questions: Questions, options: Options, names: Sequence[str], rule: str) -> None:
    given = [f"--{name.replace('_', '-')}" for name in names if getattr(options, name)]
    if given:
        questions.problems.append(f"{', '.join(given)}: {rule}.\n    Leave out what has no meaning here.")


def _refuse_contradiction(questions: Questions, options: Options) -> None:
    said = (options.sudo_password or "").lower()
    if options.password_hash is not None and said and "none".startswith(said):
        questions.problems.append(
            "--password-hash and --sudo-password none say different things.\n    Delete one of the two."
        )


def _refuse_port(questions: Questions, port: str | None) -> None:
    if port not in (None, str(SSH_PORT)):
        questions.problems.append(
            f"--port {port}: the SSH server of a new card listens on {SSH_PORT}, and its files do not change "
            "that.\n    Leave it out."
        )


def _check_place(questions: Questions, directory: Path) -> None:
    try:
        check_place(directory)
    except InvalidValueError as error:
        questions.problems.append(f"--cards {directory} {error.rule}.\n    {error.remedy}")


def _refuse_card(questions: Questions, options: Options, path: Path) -> None:
    """Put --card among the problems of a stack that is going to be new: its name may be a slip."""
    rule = "only for a stack that exists; a new one needs the cards of all its Pis"
    if path.exists() or not options.card:
        _refuse(questions, options, ("card",), rule)
        return
    files = ", ".join(sorted(file.name for file in path.parent.glob("Pulumi.*.yaml")))
    there = f"The stack files here are {files}." if files else "There is no stack file here yet."
    questions.problems.append(
        f"--card: {rule}, and {path.name} does not exist.\n"
        f"    {there} Correct the name, or leave out --card to make a new stack."
    )


def _may_replace(options: Options, questions: Questions, path: Path) -> None:
    if not path.exists() or options.replace_stack:
        return
    if not questions.interactive:
        questions.problems.append(
            f"{path.name} is there already, and is left as it is.\n"
            "    Choose another name, replace it by --replace-stack, or write its cards by --cards DIR."
        )
        return
    questions.tell(f"{path.name} is there already.")
    if not questions.confirm(f"Replace it? The old one is kept as {kept_as(path).name}"):
        raise InitError(f"{path.name} is left as it is.\n    Choose another name, or use --cards DIR.")
    questions.said.append("--replace-stack")

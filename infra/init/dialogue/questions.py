"""Asks one question at a time, again after a mistake; where nobody can be asked, lists what is missing."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from infra.config.problems import InvalidValueError, show_value
from infra.init.dialogue.values import InitError

Answer = TypeVar("Answer")


class Questions:
    """Asks on the terminal; without one it collects what is missing or wrong.

    Args:
        interactive: Whether somebody can be asked.

    Attributes:
        interactive: As given.
        problems: What is missing or wrong so far.
        said: The answers so far, as the options that would give them.
    """

    def __init__(self, *, interactive: bool) -> None:
        self.interactive = interactive
        self.problems: list[str] = []
        self.said: list[str] = []

    def ask(
        self,
        question: str,
        check: Callable[[str], Answer],
        *,
        option: str = "",
        given: str | None = None,
        default: str | None = None,
        secret: bool = False,
        remember: bool = True,
    ) -> Answer | None:
        """Return a checked answer; None only where nobody can be asked, and then it is among the problems.

        Args:
            question: As it stands before the colon.
            check: Returns the answer in its final form, or raises InvalidValueError.
            option: The option that answers it; none where only a person can.
            given: What that option said.
            default: What only Enter means; "" where the question says so itself. None: an answer is needed.
            secret: Whether the answer must not be seen.
            remember: Whether the answer is kept in `said` as it was given.
        """
        if not self.interactive:
            return self._take(question, check, option, default if given is None else given, secret=secret)
        text = given
        while True:
            if text is None:
                text = click.prompt(question, default, secret, show_default=bool(default), err=True, type=str)
            try:
                answer = check(text.strip())
            except InvalidValueError as error:
                self.tell(_wrong(error, text, secret=secret))
                text = None
                continue
            if option and remember and not secret and text:
                self.said += [option, text]
            return answer

    def _take(
        self, question: str, check: Callable[[str], Answer], option: str, text: str | None, *, secret: bool
    ) -> Answer | None:
        if text is None:
            self.problems.append(f"{option} is missing. It answers: {question}?")
            return None
        try:
            return check(text.strip())
        except InvalidValueError as error:
            self.problems.append(f"{option} {_wrong(error, text, secret=secret)}")
            return None

    def choose(
        self,
        question: str,
        choices: tuple[str, ...],
        *,
        yes: str | None = None,
        option: str = "",
        **others: Any,
    ) -> str | None:
        """Ask for one of a few words, or the first letters of one.

        Args:
            question: As it stands before the words.
            choices: The words.
            yes: The word that "yes" stands for; None where the question cannot be answered by it.
            option: The option that answers it.
            **others: As for `ask`.
        """

        def check(text: str) -> str:
            word = text.lower()
            if yes is not None and word in ("y", "yes"):
                return yes
            fits = [choice for choice in choices if word and choice.startswith(word)]
            if len(fits) != 1 and word not in choices:
                raise InvalidValueError(f"must be one of {', '.join(choices)}", "Write one of these words.")
            return word if word in choices else fits[0]

        shown = f"{question} ({', '.join(choices)})"
        answer: str | None = self.ask(shown, check, option=option, remember=False, **others)
        if self.interactive and option and answer is not None:
            self.said += [option, answer]
        return answer

    def confirm(self, question: str) -> bool:
        """Ask a question of yes or no that only a person can answer; there is no default."""
        return bool(click.confirm(question, default=None, err=True))

    def tell(self, text: str) -> None:
        """Say something beside a question."""
        click.echo(text, err=True)

    def note(self, problem: InvalidValueError, option: str, value: str) -> None:
        """Put the mistake in an option among the problems, or say it where somebody can be asked again."""
        text = f"{option} {show_value(value)} {problem.rule}.\n    {problem.remedy}"
        if self.interactive:
            self.tell(text)
        else:
            self.problems.append(text)

    def refuse_problems(self) -> None:
        """Raise InitError with all problems, if there is one."""
        if self.problems:
            listed = "\n".join(f"  {problem}" for problem in self.problems)
            raise InitError(f"nothing was written; this is missing or wrong:\n{listed}")


def _wrong(error: InvalidValueError, text: str, *, secret: bool) -> str:
    return f"{'[not shown]' if secret else show_value(text)} {error.rule}.\n    {error.remedy}"

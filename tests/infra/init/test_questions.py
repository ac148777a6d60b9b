"""What an answer of a few letters stands for."""

import pytest

from infra.init.dialogue.questions import Questions
from infra.init.dialogue.values import InitError

SAME = ("all", "each", "no")


@pytest.mark.parametrize(
    ("said", "meant"),
    [("all", "all"), ("A", "all"), ("e", "each"), ("n", "no"), ("NO", "no"), ("y", "all"), ("Yes", "all")],
)
def test_the_first_letters_of_one_word_and_yes_are_answers(said: str, meant: str) -> None:
    questions = Questions(interactive=False)
    assert questions.choose("Are they the same", SAME, yes="all", option="--same", given=said) == meant


@pytest.mark.parametrize("said", ["", "x", "allright", "s"])
def test_what_fits_no_word_or_several_is_refused_with_the_words(said: str) -> None:
    questions = Questions(interactive=False)
    questions.choose("Which", ("scan", "skip"), option="--which", given=said)
    with pytest.raises(InitError, match=r"--which .* must be one of scan, skip"):
        questions.refuse_problems()


def test_yes_answers_no_question_that_it_does_not_fit() -> None:
    questions = Questions(interactive=False)
    assert questions.choose("How", ("fixed", "dhcp"), option="--network", given="yes") is None

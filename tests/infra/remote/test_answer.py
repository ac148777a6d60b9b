"""The answer of a script, whatever a login printed before it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.remote.answer import AnswerError, parse_answer

ANSWER = {"hostname": "pi2", "boot_id": "3 {", "nested": {"a": [1]}}
LINE = json.dumps(ANSWER)


@pytest.mark.parametrize(
    "stdout",
    [
        LINE,
        f"Welcome to pi2!\nIt is Friday.\n{LINE}\n",
        f"Welcome, and no line end: {LINE}",
        f'{{"temp": 51}}\n{LINE}\n\n',
        f"load {{1}} and {{2}} {LINE}\r\n",
        f"{LINE}\nlogout\n\x1b[H\x1b[J",
        f"[1, 2]\n{LINE}\n[3]\n17\nnull",
    ],
)
def test_it_is_found(stdout: str) -> None:
    assert parse_answer("pi2", stdout) == ANSWER


@pytest.mark.parametrize("stdout", ["", "Welcome\n", "{", "{" * 10_000, "[]\n3\n"])
def test_an_answer_that_did_not_arrive_is_told_with_host_and_remedy(stdout: str) -> None:
    with pytest.raises(AnswerError, match=r"piray: pi2: .*\.bashrc.*make up again"):
        parse_answer("pi2", stdout)


def test_the_message_holds_nothing_that_was_printed() -> None:
    with pytest.raises(AnswerError) as caught:
        parse_answer("pi2", 'token {"kubeconfig": "hush')
    assert "hush" not in str(caught.value)


@given(st.text(st.characters(exclude_characters="{")))
def test_noise_before_it_changes_nothing(noise: str) -> None:
    assert parse_answer("pi2", noise + LINE) == ANSWER

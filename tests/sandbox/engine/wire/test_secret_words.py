"""Which words the test engine keeps from being told in clear, as resources come and go."""

from sandbox.engine.wire.secret_words import SecretWords
from sandbox.engine.wire.values import secret

WORD = "5ecret" * 8
HIDDEN = {"stdout": secret(f"token {WORD}\n")}
CLEAR = f"a line with {WORD} in it"


def test_a_word_is_secret_as_long_as_one_resource_keeps_it() -> None:
    words = SecretWords()
    words.add("one", HIDDEN)
    words.add("two", HIDDEN)
    assert words.owners_in(CLEAR) == ["one"]
    words.remove("one", HIDDEN)
    assert words.owners_in(CLEAR) == ["two"]
    words.remove("two", HIDDEN)
    assert words.owners_in(CLEAR) == []


def test_an_old_resource_that_goes_takes_nothing_from_the_new_one_of_its_name() -> None:
    words = SecretWords()
    words.add("one", HIDDEN)
    words.add("one", HIDDEN)
    words.remove("one", HIDDEN)
    assert words.owners_in(CLEAR) == ["one"]


def test_a_word_is_open_as_long_as_one_resource_tells_it() -> None:
    words = SecretWords()
    words.add("one", HIDDEN)
    words.add("open", {"stderr": CLEAR})
    assert words.owners_in(CLEAR) == []
    words.remove("open", {"stderr": CLEAR})
    assert words.owners_in(CLEAR) == ["one"]


def test_a_private_key_is_secret_though_no_resource_tells_it() -> None:
    words = SecretWords()
    words.add("one", {"connection": {"host": "192.0.2.1", "privateKey": WORD}, "stdin": secret("x" * 32)})
    assert words.owners_in(CLEAR) == ["one"]
    assert words.owners_in("x" * 32) == []

"""The command that has all that was said so far, so that nothing is asked for twice and nothing gets lost."""

from collections.abc import Sequence

from infra.init.dialogue.options import Options

# Never asked for, or not before much else is: as given, before the answers.
_FIRST = ("cards", "card", "host_keys")
_ASKED = (
    ("server", "user", "key_file", "port", "workers", "arch", "sudo_password")
    + ("network", "prefix", "gateway", "dns")
)  # fmt: skip
_FLAGS = ("discover", "agent", "trust_scanned_keys", "replace_stack", "replace_cards")


def words_to_go_on(options: Options, said: Sequence[str]) -> list[str]:
    """Return the words of the command line that has the answers, and the options that nobody asked about.

    Without the hash of a password, which is not to be seen: it is asked for again.

    Args:
        options: As given.
        said: The answers so far, as options. An answer counts more than the option, which it may correct.
    """
    words = ["piray", "init", options.name]
    for name in _FIRST:
        words += _words(options, name)
    words += said
    words += _hosts_left(options, said)
    for name in _ASKED:
        if _flag(name) not in said and not (name == "key_file" and "--agent" in said):
            words += _words(options, name)
    for name in ("accept_host_key", "public_key"):
        words += [
            word for value in getattr(options, name) if value not in said for word in (_flag(name), value)
        ]
    words += [_flag(name) for name in _FLAGS if getattr(options, name) and _flag(name) not in said]
    if options.password_hash is not None and "--sudo-password" not in words:
        words += ["--sudo-password", "ask"]
    return words if options.doctor else [*words, "--no-doctor"]


def _hosts_left(options: Options, said: Sequence[str]) -> list[str]:
    """Return the hosts that were given and are not among the answers, which have an address for each name."""
    known = {word.partition("=")[0] for flag, word in zip(said, said[1:], strict=False) if flag == "--host"}
    left = [given for given in options.host if given.partition("=")[0] not in known]
    return [word for given in left for word in ("--host", given)]


def _words(options: Options, name: str) -> list[str]:
    value = getattr(options, name)
    values = value if isinstance(value, tuple) else () if value is None else (value,)
    return [word for one in values for word in (_flag(name), str(one))]


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"

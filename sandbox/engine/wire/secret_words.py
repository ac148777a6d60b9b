"""What must not be found in clear anywhere: the telling words of what resources keep secret."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any

from sandbox.engine.wire.values import plain, secret, telling_words

# Outputs in which a secret may come up that nobody gave to the resource.
_TOLD = ("stdout", "stderr", "data", "stringData", "kubeconfig")


class SecretWords:
    """Secret words and whose they are, kept as resources come and go: every registration asks for them.

    Not of stdin: the text of a script is secret where one of its variables is, and open elsewhere. Nor what
    a resource tells openly, such as the checksum that each installation prints.
    """

    def __init__(self) -> None:
        self._owners: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._open: Counter[str] = Counter()

    def add(self, name: str, outputs: Mapping[str, Any]) -> None:
        """Take in the outputs of a resource."""
        hidden, told = _words(outputs)
        for word in hidden:
            self._owners[word][name] += 1
        self._open.update(told)

    def remove(self, name: str, outputs: Mapping[str, Any]) -> None:
        """Leave out the outputs of a resource, as they were added."""
        hidden, told = _words(outputs)
        for word in hidden:
            owners = self._owners[word]
            owners[name] -= 1
            if not owners[name]:
                del owners[name]
            if not owners:
                del self._owners[word]
        self._open.subtract(told)

    def owners_in(self, text: str) -> list[str]:
        """Return whose secrets are in a text in clear, sorted; of several owners of one, the first."""
        found = [word for word in self._owners if word in text and not self._open[word]]
        return sorted({next(iter(self._owners[word])) for word in found})


def _words(outputs: Mapping[str, Any]) -> tuple[frozenset[str], frozenset[str]]:
    """Return the words that come up in outputs as secrets, and those that come up openly."""
    told = {key: outputs[key] for key in _TOLD if key in outputs}
    connection = plain(outputs.get("connection")) or {}
    hidden = [told, secret(connection.get("privateKey"))]
    return (
        frozenset(telling_words(hidden, secret_ones=True)),
        frozenset(telling_words(told, secret_ones=False)),
    )

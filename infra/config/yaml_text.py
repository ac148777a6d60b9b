"""YAML as Pulumi reads it: a key that is there twice is a mistake, which PyYAML passes over. Pure."""

from collections.abc import Iterator
from typing import Any

import yaml


class YamlError(Exception):
    """A text is no YAML, or says something twice; one sentence a line, each with the line of the text."""


def read_yaml(text: str) -> Any:
    """Return what a YAML text says.

    Raises:
        YamlError: If it is no YAML, or with every key that is there twice.
    """
    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        if problems := list(_problems(node, "", frozenset())):
            raise YamlError("\n".join(problems))
        return None if node is None else loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        raise YamlError(_in_words(error)) from None
    except yaml.YAMLError as error:
        raise YamlError(f"this is not YAML ({str(error).splitlines()[0]}); save it as plain text") from None
    except ValueError as error:
        # What looks like a date and is none.
        raise YamlError(f"this is not YAML ({error}); put such a value in quotes") from None


def _in_words(error: yaml.MarkedYAMLError) -> str:
    """Return what a parser's error means, with the line of the mistake: the parser notices it later."""
    problem, mark = error.problem or "not readable", error.problem_mark
    remedy = "indent with spaces only"
    if "expected ':'" in problem:
        mark, remedy = error.context_mark or mark, "write `key: value`, with a colon and a blank behind it"
    elif "'\\t'" in problem:
        problem, remedy = "a tab", "indent with spaces only"
    elif "expected <block end>" in problem or "mapping values are not allowed" in problem:
        remedy = "indent it exactly as the other keys of its kind, and put values with `: ` in quotes"
    line = f"line {mark.line + 1}: " if mark else ""
    return f"{line}this is not YAML ({problem}); {remedy}"


def _problems(node: yaml.Node | None, path: str, around: frozenset[int]) -> Iterator[str]:
    """Yield a sentence for each key that its mapping has already, and for what holds itself."""
    if id(node) in around:
        yield f"{path} holds itself (by an anchor &… and its *…); write its values out"
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield from _problems(item, f"{path}[{index}]", around | {id(node)})
    elif isinstance(node, yaml.MappingNode):
        first: dict[str, int] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            name = str(key.value) if isinstance(key, yaml.ScalarNode) else f"(line {line})"
            inner = f"{path}.{name}" if path else name
            if name in first:
                yield f"{inner} is there twice, in lines {first[name]} and {line}; delete one of them"
            first.setdefault(name, line)
            yield from _problems(value, inner, around | {id(node)})

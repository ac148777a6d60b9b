"""Properties of the configuration for all good and all bad ones that hypothesis can think of."""

import json
import random
import re
from collections import Counter
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from infra.config.model import StackConfig, StackKeys
from infra.config.parse import parse
from infra.config.problems import ConfigError
from infra.names import camel_case

# The machine may be busy: how long an example takes says nothing.
UNTIMED = settings(deadline=None)

HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIH1BNAnKq+6bI8LNyVt8cB30GzloUqXSXl1nKUDlHZ+i"

names = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)
addresses = st.tuples(st.integers(0, 255), st.integers(1, 254)).map(
    lambda ends: f"198.51.{ends[0]}.{ends[1]}"
)


logins = st.fixed_dictionaries(
    {"user": st.just("ubuntu")},
    optional={
        "port": st.integers(1, 65535),
        "proxy": st.fixed_dictionaries(
            {"address": st.just("gate.example.org"), "hostKey": st.just(HOST_KEY)},
            optional={"port": st.integers(1, 65535), "user": st.just("ada")},
        ),
    },
)


@st.composite
def good_stacks(draw: st.DrawFn) -> dict[str, Any]:
    """Configurations of platform pi without a mistake, keys as in YAML."""
    places = draw(st.lists(st.tuples(names, addresses), min_size=1, max_size=7, unique_by=(_first, _second)))
    servers = draw(st.sampled_from([count for count in (1, 3, 5) if count <= len(places)]))
    hosts = [
        {
            "name": name,
            "address": address,
            "role": "server" if index < servers else "agent",
            "hostKey": HOST_KEY,
            **draw(
                st.fixed_dictionaries(
                    {},
                    optional={
                        "memoryMib": st.integers(100_000, 200_000),
                        "cpus": st.integers(200, 400),
                        "port": st.integers(1, 65535),
                        "user": st.just("ada"),
                    },
                )
            ),
        }
        for index, (name, address) in enumerate(places)
    ]
    completions = draw(st.integers(1, 100_000))
    optional = {
        "namespace": names.filter(lambda name: name != "default" and not name.startswith("kube-")),
        "workers": st.integers(0, 30),
        "k3s": st.fixed_dictionaries({}, optional={"mirror": st.just("http://192.0.2.10:8080/k3s")}),
        "ray": st.fixed_dictionaries(
            {}, optional={"headCpus": st.integers(1, 4), "workerMemoryMib": st.integers(768, 3000)}
        ),
        "piJob": st.fixed_dictionaries(
            {
                "completions": st.just(completions),
                "parallelism": st.integers(1, completions),
                "samples": st.integers(1, min(10**12, (2**53 - 1) // completions)),
            },
            optional={"seed": st.integers(0, 2**53 - 1)},
        ),
    }
    return {
        "platform": "pi",
        "arch": draw(st.sampled_from(["arm64", "amd64"])),
        "hosts": draw(st.permutations(hosts)),
        "ssh": draw(logins),
        **draw(st.fixed_dictionaries({}, optional=optional)),
    }


def _first(place: tuple[str, str]) -> str:
    return place[0]


def _second(place: tuple[str, str]) -> str:
    return place[1]


def to_yaml_keys(config: StackConfig) -> dict[str, Any]:
    """Return a configuration as a stack file would hold it, every default written out."""
    values = config.model_dump(by_alias=True)
    assert values["ssh"].pop("privateKey") is None
    source = values["ray"].pop("imageSource")
    assert source.pop("password") is None
    values["ray"]["image"] = {"reference": values["ray"]["image"], "source": source.pop("kind"), **source}
    cleaned = _without_none(values)
    assert isinstance(cleaned, dict)
    return cleaned


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_none(item) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [_without_none(item) for item in value]
    return value


def as_engine_text(values: dict[str, Any]) -> dict[str, object]:
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in values.items()}


@UNTIMED
@given(good_stacks())
def test_a_good_configuration_written_out_in_full_means_the_same(values: dict[str, Any]) -> None:
    config = parse(values)
    assert parse(to_yaml_keys(config)) == config
    assert parse(as_engine_text(to_yaml_keys(config))) == config


@UNTIMED
@given(good_stacks())
def test_the_configuration_says_what_the_file_says(values: dict[str, Any]) -> None:
    config = parse(as_engine_text(values))
    assert [host.name for host in config.hosts] == [host["name"] for host in values["hosts"]]
    assert len(config.servers) % 2 == 1
    assert len(config.servers) + len(config.agents) == len(config.hosts)
    assert config.workers == values.get("workers", 3)
    assert config.pi_job.samples == values.get("piJob", {}).get("samples", 10_000_000)


KEYS = [camel_case(name) for name in StackKeys.model_fields]
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(st.characters(exclude_categories=[]), max_size=30),
    st.sampled_from(
        [
            "pi",
            "local",
            "server",
            "agent",
            "true",
            "null",
            "[]",
            "{}",
            "[[",
            "::1",
            "~x/y",
            "http://[",
            HOST_KEY,
        ]
    ),
)
FIELD_NAMES = [
    *(
        "name",
        "address",
        "role",
        "hostKey",
        "memoryMib",
        "cpus",
        "sudoPassword",
        "proxy",
        "user",
        "port",
        "version",
        "mirror",
        "image",
    ),
    *("runtimePackages", "completions", "parallelism", "samples", "seed", "workerMemoryMib", "headMemoryMib"),
]
JUNK = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.one_of(st.sampled_from(FIELD_NAMES), st.text(max_size=5)), inner, max_size=6),
    ),
    max_leaves=25,
)


def no_file(path: str) -> str:
    return path


def outcome(values: dict[str, Any]) -> ConfigError | StackConfig:
    try:
        return parse(values, read_file=no_file)
    except ConfigError as error:
        return error


@UNTIMED
@given(st.dictionaries(st.one_of(st.sampled_from(KEYS), st.text(max_size=10)), JUNK, max_size=8))
@example({"platform": "pi", "hosts": "[" * 100_000})
@example({"platform": "pi", "sshPrivateKey": "\ud800", "ssh": {"privateKeyFile": "\udfff"}, "\ud800": 1})
@example({"platform": "pi", "ray": {"runtimePackages": ["a" * 100_000 + "!", "\ud800"]}})
@example({"platform": "pi", "workers": "9" * 10_000, "piJob": '{"seed": ' + "9" * 10_000 + "}"})
@example({"platform": "pi", "piJob": {"seed": 10**5000}})
@example({"platform": "pi", "ssh": {"privateKeyFile": "\0"}, "ray": {"image": "a" * 100_000}})
def test_junk_is_answered_with_problems_that_can_be_printed(values: dict[str, Any]) -> None:
    result = outcome(values)
    str(result).encode("utf-8")
    if isinstance(result, ConfigError):
        assert result.problems
        assert all(
            problem.path.startswith("piray:") and problem.rule and problem.remedy
            for problem in result.problems
        )
    texts = {key: value if isinstance(value, str) else _json_or_text(value) for key, value in values.items()}
    str(outcome(texts)).encode("utf-8")


def _json_or_text(value: Any) -> str:
    try:
        return json.dumps(value)
    except ValueError:
        return "9" * 6000


bad_hosts = st.fixed_dictionaries(
    {},
    optional={
        "name": st.sampled_from(["pi1", "pi2", "Pi3", 4]),
        "address": st.sampled_from(["198.51.100.1", "198.51.100.2", "here", None]),
        "role": st.sampled_from(["server", "agent", "boss"]),
        "hostKey": st.sampled_from([HOST_KEY, HOST_KEY[:-4]]),
        "memoryMib": st.sampled_from([4096, 2048, 8, "8192"]),
        "cpus": st.sampled_from([4, 2, "8", 0]),
        "adress": st.just(1),
    },
)


@UNTIMED
@given(st.lists(bad_hosts, max_size=5), st.integers(0, 20), st.randoms(use_true_random=False))
def test_the_order_of_the_hosts_does_not_change_what_is_wrong(
    hosts: list[dict[str, Any]], workers: int, shuffler: random.Random
) -> None:
    shuffled = hosts.copy()
    shuffler.shuffle(shuffled)
    assert _kinds(hosts, workers) == _kinds(shuffled, workers)


def _kinds(hosts: list[dict[str, Any]], workers: int) -> Counter[tuple[str, ...]]:
    """Count the problems, the positions in the list left out."""
    result = outcome({"platform": "pi", "hosts": hosts, "workers": workers})
    problems = result.problems if isinstance(result, ConfigError) else ()
    return Counter(
        tuple(re.sub(r"hosts\[\d+\]", "hosts[]", text) for text in (item.path, item.value, item.rule))
        for item in problems
    )


@UNTIMED
@given(st.text(min_size=8, alphabet=st.characters(categories=["Lu", "Nd"], max_codepoint=127)))
def test_no_part_of_a_private_key_is_ever_told(canary: str) -> None:
    canary = f"<{canary}>"
    begin, end = "-----BEGIN OPENSSH PRIVATE KEY-----", "-----END OPENSSH PRIVATE KEY-----"
    for text in (canary, f"{begin}\n{canary}\n{end}", f"{begin}\n{canary}", f"{canary}\n{end}"):
        result = outcome({"platform": "pi", "hosts": [], "sshPrivateKey": text})
        assert isinstance(result, ConfigError)
        assert canary not in str(result)

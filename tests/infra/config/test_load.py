"""The configuration: what the shipped stack files mean, and what each mistake in one is answered with.

Bad configurations are a table; the rest is about several mistakes at once, secrets, and Pulumi's two ways of
handing over a configuration.
"""

import copy
import json
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pulumi
import pytest
from pulumi.runtime import config as pulumi_config

from infra.config.load import StackConfigError, load
from infra.config.model import StackKeys
from infra.config.parse import parse
from infra.config.problems import ConfigError, InvalidValueError
from infra.config.values.ssh_keys import Secret
from infra.versions import K3S_INSTALL_SCRIPT_SHA256, OFFICIAL_IMAGE_LACKS, RAY
from sandbox.engine.stack.files import ROOT, project_file, stack_config
from tests.infra.config.made import ED25519, host, hosts, problems_of, stack, with_cpus, with_memory

RSA = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQC7"
PROXY = {"address": "192.0.2.1", "hostKey": ED25519}
# The canary is a comment inside the key's text, so that any part that leaks is found.
CANARY = "CANARY7f3a"
BROKEN_KEY = f"-----BEGIN OPENSSH PRIVATE KEY-----\n{CANARY}\n-----END OPENSSH PRIVATE KEY-----\n"


def unprefixed(settings: dict[str, str]) -> dict[str, Any]:
    return {key.removeprefix("piray:"): value for key, value in settings.items() if key.startswith("piray:")}


# id, configuration, path of its only problem, words of the problem's text.
BAD: list[tuple[str, dict[str, Any], str, list[str]]] = [
    (
        "unknown platform",
        stack(platform="pie"),
        "platform",
        ['"pie"', "one of pi, local", "Did you mean pi?"],
    ),
    ("no platform", {}, "platform", ["missing", "pi for Raspberry Pis"]),
    ("unknown arch", stack(arch="armv7"), "arch", ["arm64, amd64", "64-bit system"]),
    ("unknown top-level key", stack(worker=3), "worker", ["not a key", "Did you mean workers?"]),
    (
        "unknown key of a host",
        hosts(host(1, "server", adress="x")),
        "hosts[0].adress",
        ["Did you mean address?"],
    ),
    ("unknown key in snake case", stack(ray={"head_cpus": 1}), "ray.head_cpus", ["Did you mean headCpus?"]),
    (
        "unknown key of ssh",
        stack(ssh={"key": "x"}),
        "ssh.key",
        ["not a key", "user, port, proxy, privateKeyFile"],
    ),
    ("unknown key of k3s", stack(k3s={"Version": "x"}), "k3s.Version", ["Did you mean version?"]),
    ("unknown key of the job", stack(piJob={"sample": 5}), "piJob.sample", ["Did you mean samples?"]),
    ("key with a dot", stack(ray={"a.b": 1}), 'ray["a.b"]', ["not a key"]),
    ("namespace of Kubernetes", stack(namespace="kube-system"), "namespace", ["belongs to Kubernetes"]),
    ("default namespace", stack(namespace="default"), "namespace", ["belongs to Kubernetes"]),
    ("namespace with a capital", stack(namespace="Ray"), "namespace", ['"Ray"', "RFC 1123"]),
    ("empty namespace", stack(namespace=""), "namespace", ["is empty", "default"]),
    ("switch that is text", stack(insecureHostKeys="yes"), "insecureHostKeys", ["true or false"]),
    ("hosts empty", stack(hosts=[]), "hosts", ["no server", "single Pi"]),
    ("hosts null", stack(hosts=None), "hosts", ["is empty"]),
    ("hosts as text", stack(hosts="pi1"), "hosts", ['"pi1"', "must be a list", "- "]),
    ("hosts as one object", stack(hosts=host(1, "server")), "hosts", ["must be a list"]),
    ("host that is text", stack(hosts=[host(1, "server"), "pi2"]), "hosts[1]", ['"pi2"', "keys with values"]),
    ("host that is null", stack(hosts=[host(1, "server"), None]), "hosts[1]", ["null", "keys with values"]),
    ("host without name", hosts(host(1, "server", name=None)), "hosts[0].name", ["missing", "hostname"]),
    ("host with an empty name", hosts({**host(1, "server"), "name": None}), "hosts[0].name", ["is empty"]),
    (
        "capital in a name",
        hosts(host(1, "server", name="Pi1")),
        "hosts[0].name",
        ["small letters", "RFC 1123"],
    ),
    ("name with a dot", hosts(host(1, "server", name="pi.lan")), "hosts[0].name", ["RFC 1123"]),
    ("name of 64", hosts(host(1, "server", name="a" * 64)), "hosts[0].name", ["at most 63"]),
    ("name that is a number", hosts(host(1, "server", name=1)), "hosts[0].name", ["must be text", "quotes"]),
    (
        "name twice",
        hosts(host(1, "server"), host(2, name="pi1")),
        "hosts[1].name",
        ["name of hosts[0]", "k3s"],
    ),
    (
        "host name for an address",
        hosts(host(1, "server", address="pi1.local")),
        "hosts[0].address",
        ["not an IP"],
    ),
    (
        "no such address",
        hosts(host(1, "server", address="198.51.100.256")),
        "hosts[0].address",
        ["256", "not an IP"],
    ),
    ("loopback", hosts(host(1, "server", address="127.0.0.1")), "hosts[0].address", ["loopback"]),
    ("loopback v6", hosts(host(1, "server", address="::1")), "hosts[0].address", ["loopback"]),
    ("unspecified", hosts(host(1, "server", address="0.0.0.0")), "hosts[0].address", ["loopback, multicast"]),
    ("multicast", hosts(host(1, "server", address="224.0.0.1")), "hosts[0].address", ["multicast"]),
    ("zone", hosts(host(1, "server", address="fe80::1%eth0")), "hosts[0].address", ["%zone"]),
    (
        "address twice",
        hosts(host(1, "server", address="198.51.100.9"), host(2, address="198.51.100.9")),
        "hosts[1].address",
        ["address of hosts[0]"],
    ),
    ("unknown role", hosts(host(1, "server"), host(2, "slave")), "hosts[1].role", ["server, agent"]),
    ("no server", hosts(host(1), host(2)), "hosts", ["no server", "role server"]),
    ("two servers", hosts(host(1, "server"), host(2, "server")), "hosts", ["2 servers", "etcd", "1 or 3"]),
    ("four servers", hosts(*(host(i, "server") for i in range(1, 5))), "hosts", ["etcd", "3 or 5"]),
    (
        "no host key",
        hosts(host(7, "server", hostKey=None)),
        "hosts[0].hostKey",
        [
            "missing",
            "ssh-keyscan -t ed25519 198.51.100.7",
            "/etc/ssh/ssh_host_ed25519_key.pub",
            "insecureHostKeys",
        ],
    ),
    (
        "RSA host key",
        hosts(host(1, "server", hostKey=RSA)),
        "hosts[0].hostKey",
        ["SHA-1", "ssh-keyscan -t ed25519"],
    ),
    (
        "host key cut",
        hosts(host(1, "server", hostKey=ED25519[:-8])),
        "hosts[0].hostKey",
        ["not a whole ssh-ed25519"],
    ),
    (
        "two host keys",
        hosts(host(1, "server", hostKey=f"{ED25519}\n{ED25519}")),
        "hosts[0].hostKey",
        ["one line"],
    ),
    (
        "memory in GiB",
        hosts(host(1, "server", memoryMib=8)),
        "hosts[0].memoryMib",
        ["from 256", "4 GB has 4096"],
    ),
    (
        "memory as a fraction",
        hosts(host(1, "server", memoryMib=4096.5)),
        "hosts[0].memoryMib",
        ["whole number"],
    ),
    ("user with a blank", stack(ssh={"user": "pi pi"}), "ssh.user", ["Linux user"]),
    ("port 0", stack(ssh={"port": 0}), "ssh.port", ["from 1 to 65535"]),
    ("port too high", stack(ssh={"port": "65536"}), "ssh.port", ["from 1 to 65535"]),
    ("ssh as text", stack(ssh="pi"), "ssh", ['"pi"', "keys with values"]),
    ("ssh as a list", stack(ssh="[]"), "ssh", ["keys with values"]),
    ("k3s version as an image tag", stack(k3s={"version": "v1.36.5-k3s1"}), "k3s.version", ["v1.36.5+k3s1"]),
    ("k3s of years ago", stack(k3s={"version": "v1.24.17+k3s1"}), "k3s.version", ["is older than 1.31"]),
    ("k3s version without v", stack(k3s={"version": "1.36.5+k3s1"}), "k3s.version", ["v1.36.5+k3s1"]),
    ("mirror by ftp", stack(k3s={"mirror": "ftp://192.0.2.1/k3s"}), "k3s.mirror", ["http://"]),
    ("mirror without host", stack(k3s={"mirror": "http:///k3s"}), "k3s.mirror", ["with a host"]),
    ("mirror with a query", stack(k3s={"mirror": "http://192.0.2.1/k3s?a=b"}), "k3s.mirror", ["query"]),
    ("mirror with a bad port", stack(k3s={"mirror": "http://192.0.2.1:x/"}), "k3s.mirror", ["http://"]),
    ("mirror with a blank", stack(k3s={"mirror": "http://192.0.2.1/k3s x"}), "k3s.mirror", ["no blanks"]),
    (
        "mirror with a login",
        stack(k3s={"mirror": "http://u:p@192.0.2.1/"}),
        "k3s.mirror",
        ["password", "plain text"],
    ),
    (
        "sum too short",
        stack(k3s={"installScriptSha256": "abc"}),
        "k3s.installScriptSha256",
        ["64 hexadecimal"],
    ),
    ("workers below zero", stack(workers=-1), "workers", ["from 0"]),
    ("workers true", stack(workers=True), "workers", ["true", "whole number"]),
    ("workers true as the engine says it", stack(workers="true"), "workers", ["whole number"]),
    ("workers in words", stack(workers="three"), "workers", ['"three"', "whole number"]),
    ("workers as a fraction", stack(workers="2.5"), "workers", ["whole number"]),
    ("Ray version as a number", stack(ray={"version": 2.6}), "ray.version", ["2.60.0", "all three numbers"]),
    ("image without tag", stack(ray={"image": "registry.example/ray"}), "ray.image", ["no fixed tag"]),
    (
        "image with a port and no tag",
        stack(ray={"image": "registry.example:5000/ray"}),
        "ray.image",
        ["no fixed tag"],
    ),
    ("image latest", stack(ray={"image": "registry.example/ray:latest"}), "ray.image", ["no fixed tag"]),
    ("image with a blank", stack(ray={"image": "my ray:1"}), "ray.image", ["not an image reference"]),
    (
        "official image of another Ray",
        stack(ray={"image": "rayproject/ray:2.59.0-py311-aarch64"}),
        "ray.image",
        ["not of Ray 2.60.0", "ray.version"],
    ),
    (
        "official image for another processor",
        stack(ray={"image": "rayproject/ray:2.60.0-py311"}),
        "ray.image",
        ["not for arm64", "-aarch64"],
    ),
    (
        "package without version",
        stack(ray={"runtimePackages": ["numba"]}),
        "ray.runtimePackages[0]",
        ["numba==0.68.1"],
    ),
    (
        "packages as text",
        stack(ray={"runtimePackages": "numba==0.68.1"}),
        "ray.runtimePackages",
        ["must be a list"],
    ),
    ("head without CPU", stack(ray={"headCpus": 0}), "ray.headCpus", ["from 1"]),
    ("head of 1000 MiB", stack(ray={"headMemoryMib": 1000}), "ray.headMemoryMib", ["from 1024", "killed"]),
    ("worker without CPU", stack(ray={"workerCpus": "0"}), "ray.workerCpus", ["from 1"]),
    ("worker of 512 MiB", stack(ray={"workerMemoryMib": 512}), "ray.workerMemoryMib", ["from 768", "numba"]),
    ("no completions", stack(piJob={"completions": 0}), "piJob.completions", ["from 1"]),
    ("no parallelism", stack(piJob={"parallelism": 0}), "piJob.parallelism", ["from 1"]),
    ("too parallel", stack(piJob={"parallelism": 4}), "piJob.parallelism", ["more than the 3 completions"]),
    ("no samples", stack(piJob={"samples": 0}), "piJob.samples", ["from 1"]),
    ("too many samples of one", stack(piJob={"samples": 10**12 + 1}), "piJob.samples", [str(10**12)]),
    (
        "too many samples of all",
        stack(piJob={"completions": 100_000, "samples": 10**12}),
        "piJob.samples",
        ["2^53", str((2**53 - 1) // 100_000)],
    ),
    ("seed below zero", stack(piJob={"seed": -1}), "piJob.seed", ["from 0"]),
    ("seed that Pulumi would round", stack(piJob={"seed": 2**53}), "piJob.seed", ["rounded"]),
    (
        "no user",
        {"platform": "pi", "hosts": [host(1, "server")]},
        "ssh.user",
        ["missing", "since 2022", "wrote the card", "whoami"],
    ),
    (
        "a user of one host only",
        {"platform": "pi", "hosts": [host(1, "server", user="ada"), host(2)]},
        "ssh.user",
        ["missing"],
    ),
    (
        "no user for the jump host",
        {
            "platform": "pi",
            "hosts": [host(1, "server", user="ada")],
            "ssh": {"proxy": {"address": "192.0.2.1", "hostKey": ED25519}},
        },
        "ssh.user",
        ["missing"],
    ),
    ("port of a host", hosts(host(1, "server", port=70000)), "hosts[0].port", ["from 1 to 65535"]),
    ("user of a host", hosts(host(1, "server", user="A B")), "hosts[0].user", ["Linux user"]),
    (
        "jump host as text",
        stack(ssh={"proxy": "192.0.2.1"}),
        "ssh.proxy",
        ["keys with values", "the keys here are address, port, user, hostKey"],
    ),
    (
        "key of a section at the top",
        stack(port=22, ssh={"user": "a"}),
        "port",
        ["not a key", "the keys here are"],
    ),
    (
        "key of one section at the top",
        stack(completions=3),
        "completions",
        ["It is a key of `piJob`: write it below `piJob:`, two blanks further in"],
    ),
    (
        "section without keys",
        stack(k3s=None),
        "k3s",
        ["is empty", "its keys (version, mirror,", "two blanks"],
    ),
    (
        "address with a prefix",
        hosts(host(1, "server", address="192.0.2.7/24")),
        "hosts[0].address",
        ["Write 192.0.2.7,"],
    ),
    (
        "address with zeros",
        hosts(host(1, "server", address="192.0.02.007")),
        "hosts[0].address",
        ["Write 192.0.2.7,"],
    ),
    ("hosts without hyphens", stack(hosts={"pi1": {}}), "hosts", ["must be a list", "`- name: …`"]),
    ("memory with a unit", with_memory("8GB"), "hosts[0].memoryMib", ["Write 8192; it counts MiB"]),
    ("memory with a unit and a blank", with_memory("3.5 GiB"), "hosts[0].memoryMib", ["Write 3584;"]),
    ("memory in MB", with_memory("4096 MB"), "hosts[0].memoryMib", ["Write 4096;"]),
    ("memory in words", with_memory("plenty"), "hosts[0].memoryMib", ["digits only, as in 2048;"]),
    ("memory in GiB", with_memory(8), "hosts[0].memoryMib", ["from 256", "8 GiB are 8192"]),
    ("head's memory in GB", stack(ray={"headMemoryMib": "2G"}), "ray.headMemoryMib", ["Write 2048;"]),
    ("worker's memory in GiB", stack(ray={"workerMemoryMib": 2}), "ray.workerMemoryMib", ["are 2048"]),
    ("samples with commas", stack(piJob={"samples": "10,000,000"}), "piJob.samples", ["Write 10000000."]),
    ("samples as a power", stack(piJob={"samples": "1e7"}), "piJob.samples", ["Write 10000000."]),
    ("workers with a unit", stack(workers="3 Pis"), "workers", ["Write digits only, as in 3."]),
    (
        "jump host without address",
        stack(ssh={"proxy": {"hostKey": ED25519}}),
        "ssh.proxy.address",
        ["missing", "Add a line `address: …`", "of the jump host, not that of a Pi", "delete ssh.proxy"],
    ),
    (
        "jump host with a user in its address",
        stack(ssh={"proxy": {"address": "ada@gate.example.org", "hostKey": ED25519}}),
        "ssh.proxy.address",
        ["neither an IP address nor the name of a host"],
    ),
    (
        "jump host without a key",
        stack(ssh={"proxy": {"address": "gate.example.org"}}),
        "ssh.proxy.hostKey",
        ["missing", "ssh-keyscan -t ed25519 gate.example.org", "insecureHostKeys"],
    ),
    ("unknown key of the jump host", stack(ssh={"proxy": {**PROXY, "host": "x"}}), "ssh.proxy.host", ["key"]),
    ("two lines for sudo", stack(sudoPassword="a\nb"), "sudoPassword", ["[secret]", "one line", "--secret"]),
    ("no cores", hosts(host(1, "server", cpus=0)), "hosts[0].cpus", ["from 1 to 1024", "nproc"]),
    (
        "a worker that no host can hold",
        with_cpus(4, 4, ray={"workerCpus": 5}, workers=1),
        "workers",
        ["agents hold 0 workers of 5 CPUs", "pi2 0", "0.2 CPUs on each", "Lower piray:ray.workerCpus"],
    ),
    (
        "more workers than cores",
        with_cpus(4, 4, 4, workers=3),
        "workers",
        ["agents hold 2 workers of 3 CPUs (pi2 1, pi3 1)", "Give at most 2"],
    ),
    (
        "more workers than cores on a single Pi",
        with_cpus(4, workers=2),
        "workers",
        ["servers hold 1 workers", "1 CPUs for the head on pi1"],
    ),
    (
        "workers for which the cores are enough and the memory is not",
        hosts(host(1, "server", cpus=4, memoryMib=8192), host(2, cpus=16, memoryMib=4096)),
        "workers",
        [
            "agents hold 2 workers of 3 CPUs and 1536 MiB (pi2 2), with 0.2 CPUs and 512 MiB on each",
            "lower piray:ray.workerCpus or piray:ray.workerMemoryMib",
        ],
    ),
    (
        "head with more cores than any host",
        with_cpus(4, 4, workers=1, ray={"headCpus": 5}),
        "ray.headCpus",
        ["fits on no host: pi1 has the most room, 4 CPUs less 0.2 CPUs", "= 3.8 CPUs", "more cores"],
    ),
    (
        "too many workers",
        with_memory(8192, 4096, 2048, workers=4),
        "workers",
        ["agents hold 3 workers of 1536 MiB", "pi2 2, pi3 1", "512 MiB on each", "at most 3"],
    ),
    (
        "too many workers beside the head on an agent",
        with_memory(2048, 4096, workers=2),
        "workers",
        ["agents hold 0 workers", "2560 MiB for the head on pi2"],
    ),
    (
        "too many workers on a single Pi",
        with_memory(4096, workers=1),
        "workers",
        ["servers hold 0 workers", "1024 MiB on each", "2560 MiB for the head on pi1"],
    ),
    (
        "head too large for every Pi",
        with_memory(4096, 4096, workers=1, ray={"headMemoryMib": 3800}),
        "ray.headMemoryMib",
        ["fits on no host", "pi2 has the most room", "4096 MiB less 512 MiB", "3584 MiB"],
    ),
    (
        "hosts on local",
        {"platform": "local", "hosts": [host(1, "server")]},
        "hosts",
        ["platform local", "Delete it"],
    ),
    ("k3s on local", {"platform": "local", "k3s": {"version": "v1.36.3+k3s1"}}, "k3s", ["platform local"]),
    ("ssh on local", {"platform": "local", "ssh": {"user": "pi"}}, "ssh", ["platform local"]),
    ("too many workers on local", {"platform": "local", "workers": 65}, "workers", ["at most 64"]),
    ("π Job on local", {"platform": "local", "piJob": {"samples": 5}}, "piJob", ["platform local"]),
    (
        "private key on local",
        {"platform": "local", "sshPrivateKey": BROKEN_KEY},
        "sshPrivateKey",
        ["platform local"],
    ),
    (
        "no host keys on local",
        {"platform": "local", "insecureHostKeys": "true"},
        "insecureHostKeys",
        ["platform local"],
    ),
    ("image on local", {"platform": "local", "ray": {"image": "a/b:1"}}, "ray.image", ["no container"]),
]


@pytest.mark.parametrize(("values", "path", "words"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_a_mistake_is_told_with_its_path_rule_and_remedy(
    values: dict[str, Any], path: str, words: list[str]
) -> None:
    problems = problems_of(values)
    assert [problem.path for problem in problems] == [f"piray:{path}"]
    assert all(problem.rule and problem.remedy for problem in problems)
    missing = [word for word in words if word not in str(problems[0])]
    assert not missing, f"{missing} not in:\n{problems[0]}"


@pytest.mark.parametrize("values", [row[1] for row in BAD], ids=[row[0] for row in BAD])
def test_a_mistake_is_told_alike_when_it_comes_as_the_text_of_the_engine(values: dict[str, Any]) -> None:
    texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in values.items()}
    # The engine hands -1 and "-1" over as the same text.
    assert [replace(problem, value=problem.value.strip('"')) for problem in problems_of(texts)] == [
        replace(problem, value=problem.value.strip('"')) for problem in problems_of(values)
    ]


def test_all_mistakes_are_told_at_once_and_none_hides_another() -> None:
    problems = problems_of(
        stack(
            hosts=[
                host(1, "server", name="Pi1", address="198.51.100.2"),
                host(2, hostKey=None),
                host(3, role="worker"),
                host(4, name="pi2", memoryMib="many"),
            ],
            workers="x",
            k3s={"version": "latest", "mirror": "here"},
            piJob={"completions": 2, "parallelism": 3, "seed": "x"},
        )
    )
    assert sorted(problem.path.removeprefix("piray:") for problem in problems) == [
        "hosts[0].name",
        "hosts[1].address",
        "hosts[1].hostKey",
        "hosts[2].role",
        "hosts[3].memoryMib",
        "hosts[3].name",
        "k3s.mirror",
        "k3s.version",
        "piJob.parallelism",
        "piJob.seed",
        "workers",
    ]


def test_the_text_of_the_error_holds_every_problem() -> None:
    with pytest.raises(ConfigError) as caught:
        parse(stack(workers=-1, namespace="kube-public"))
    text = str(caught.value)
    assert text.startswith("2 problems in the stack's configuration")
    assert all(str(problem) in text for problem in caught.value.problems)


def test_the_error_ends_a_pulumi_program_without_a_traceback() -> None:
    assert issubclass(StackConfigError, pulumi.RunError)
    assert issubclass(StackConfigError, ConfigError)
    assert issubclass(ConfigError, ValueError)


def test_long_values_are_shortened_and_odd_ones_printable() -> None:
    text = str(problems_of(stack(namespace="x" * 5000, arch="\ud800\n\x1b[31m", ray={"é\n" * 90: 1}))[0:3])
    text.encode("utf-8")
    assert len(text) < 2000
    assert "\x1b" not in text


def test_the_dev_stack_is_one_server_and_three_agents_with_three_workers() -> None:
    config = parse(unprefixed(stack_config("dev")))
    assert [entry.name for entry in config.servers] == ["pi1"]
    assert config.servers[0].address == "198.51.100.11"
    assert [entry.address for entry in config.agents] == [f"198.51.100.{number}" for number in (12, 13, 14)]
    assert (config.platform, config.arch, config.workers, config.namespace) == ("pi", "arm64", 3, "ray")
    assert len({entry.host_key for entry in config.hosts}) == 4
    job = config.pi_job
    assert (job.completions, job.parallelism, job.samples, job.seed) == (3, 3, 10_000_000, 0)
    assert config.ssh.private_key is None
    assert config.ray.image == "rayproject/ray:2.60.0-py311-aarch64"
    assert config.ray.runtime_packages == ("numba==0.68.1",)
    assert config.k3s.install_script_sha256 == K3S_INSTALL_SCRIPT_SHA256


def test_the_local_stack_is_two_workers_of_one_cpu_on_this_machine() -> None:
    config = parse(unprefixed(stack_config("local")))
    assert (config.platform, config.workers, config.hosts) == ("local", 2, ())
    assert (config.ray.head_cpus, config.ray.worker_cpus) == (1, 1)
    assert config.ray.runtime_packages == ()


def test_pulumi_yaml_declares_exactly_the_keys_of_the_model_with_its_defaults() -> None:
    schema = {key: entry for key, entry in project_file()["config"].items() if ":" not in key}
    fields = {field.alias: field for field in StackKeys.model_fields.values()}
    assert set(schema) == set(fields)
    types = {str: "string", int: "integer", bool: "boolean"}
    for key, entry in schema.items():
        assert entry["description"], f"{key} has no description"
        field = fields[key]
        if entry["type"] not in ("array", "object"):
            literal_or_type = field.annotation if isinstance(field.annotation, type) else str
            assert entry["type"] == types[literal_or_type], key
        assert ("default" in entry) != field.is_required(), key
        if field.is_required():
            continue
        if entry["type"] in ("array", "object"):
            assert entry["default"] == ([] if entry["type"] == "array" else {}), key
        else:
            assert entry["default"] == field.get_default(), key


def test_the_defaults_of_pulumi_yaml_alone_change_nothing() -> None:
    defaults = {
        key: entry["default"] for key, entry in project_file()["config"].items() if "default" in entry
    }
    assert parse({**defaults, "platform": "local"}) == parse({"platform": "local"})
    assert parse({**defaults, **stack()}) == parse(stack())


def test_the_versions_are_those_of_the_lock_file() -> None:
    locked = (ROOT / "requirements.lock").read_text().split()
    assert f"ray[default]=={RAY}" in locked or f"ray=={RAY}" in locked
    assert set(OFFICIAL_IMAGE_LACKS) <= set(locked)


def test_a_single_pi_runs_the_workers_on_its_server() -> None:
    config = parse(with_memory(8192, workers=3))
    assert config.agents == ()
    assert config.servers[0].name == "pi1"


def test_three_servers_are_fine() -> None:
    assert len(parse(hosts(*(host(i, "server") for i in range(1, 4)))).servers) == 3


def test_workers_are_not_counted_where_a_memory_is_unknown() -> None:
    assert parse(with_memory(8192, 4096, None, workers=50)).workers == 50


def test_a_head_on_the_server_takes_no_room_from_the_agents() -> None:
    assert parse(with_memory(4096, 2048, 2048, workers=2)).workers == 2
    assert parse(with_memory(None, 2048, 2048, workers=2)).workers == 2


def test_numbers_and_switches_may_be_text() -> None:
    config = parse(stack(workers="5", insecureHostKeys="true", ssh={"port": "2222"}, piJob={"seed": "7"}))
    assert (config.workers, config.insecure_host_keys, config.ssh.port, config.pi_job.seed) == (
        5,
        True,
        2222,
        7,
    )


def test_host_keys_may_be_missing_where_the_stack_says_so() -> None:
    config = parse({**hosts(host(1, "server", hostKey=None)), "insecureHostKeys": True})
    assert config.servers[0].host_key is None


def test_the_image_follows_version_and_arch_and_an_own_image_brings_its_packages() -> None:
    amd64 = parse(stack(arch="amd64", ray={"version": "2.61.1"})).ray
    assert amd64.image == "rayproject/ray:2.61.1-py311"
    own = parse(stack(ray={"image": "registry.example:5000/class/ray:2.60.0-1"})).ray
    assert own.runtime_packages == ()
    mirrored = parse(stack(ray={"image": "registry.example/rayproject/ray:2.60.0-py311-aarch64"})).ray
    assert mirrored.runtime_packages == ("numba==0.68.1",)
    given = parse(
        stack(ray={"image": f"class/ray@sha256:{'0' * 64}", "runtimePackages": ["numpy==2.4.6"]})
    ).ray
    assert given.runtime_packages == ("numpy==2.4.6",)


def test_a_mirror_loses_the_slash_at_its_end() -> None:
    assert (
        parse(stack(k3s={"mirror": "http://192.0.2.10:8080/k3s/"})).k3s.mirror == "http://192.0.2.10:8080/k3s"
    )


def test_the_configuration_cannot_be_changed() -> None:
    config = parse(stack())
    with pytest.raises(ValueError, match="frozen"):
        config.workers = 9


@pytest.fixture(scope="module")
def private_key(tmp_path_factory: pytest.TempPathFactory) -> str:
    file = tmp_path_factory.mktemp("keys") / "id"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", file], check=True)
    return file.read_text()


def test_a_private_key_comes_from_the_secret(private_key: str) -> None:
    assert parse(stack(sshPrivateKey=private_key)).ssh.private_key == Secret(private_key)


def test_a_private_key_comes_from_a_file_in_the_users_home(
    private_key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "id").write_text(private_key)
    assert parse(stack(ssh={"privateKeyFile": "~/id"})).ssh.private_key == Secret(private_key)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/no/such/file", "does not exist"),
        ("/", "is not a key file"),
        ("~nobody-here/id", "not a path"),
        ("a\0b", "not a path"),
    ],
)
def test_a_private_key_file_that_cannot_be_read_is_a_problem(path: str, words: str) -> None:
    (problem,) = problems_of(stack(ssh={"privateKeyFile": path}))
    assert problem.path == "piray:ssh.privateKeyFile"
    assert words in problem.rule
    assert "ssh-add" in problem.remedy


def test_an_unusable_private_key_is_a_problem_of_the_place_it_came_from() -> None:
    def read_public_key(path: str) -> str:
        assert path == "~/.ssh/id.pub"
        return f"{ED25519} me@laptop\n"

    (problem,) = problems_of(stack(ssh={"privateKeyFile": "~/.ssh/id.pub"}), read_file=read_public_key)
    assert (problem.path, problem.value) == ("piray:ssh.privateKeyFile", '"~/.ssh/id.pub"')
    assert "public key" in problem.rule


def test_a_private_key_given_twice_is_a_problem(private_key: str) -> None:
    problems = problems_of(
        stack(sshPrivateKey=private_key, ssh={"privateKeyFile": "~/.ssh/id"}), read_file=lambda _: private_key
    )
    assert [(problem.path, problem.rule) for problem in problems] == [
        ("piray:ssh.privateKeyFile", "is given beside piray:sshPrivateKey")
    ]


def test_a_private_key_stored_in_clear_is_a_problem(private_key: str) -> None:
    (problem,) = problems_of(stack(sshPrivateKey=private_key), secret_keys=frozenset())
    assert "plain text" in problem.rule
    assert "--secret piray:sshPrivateKey" in problem.remedy


@pytest.mark.parametrize(
    "values",
    [
        {"sshPrivateKey": BROKEN_KEY},
        {"sshPrivateKey": CANARY},
        {"sshPrivateKey": {"a": CANARY}},
        {"sshPrivateKey": [CANARY]},
        {"sshPrivatKey": CANARY},
        {"ssh": {"privateKey": CANARY}},
        {"ssh": {"privateKeyFile": BROKEN_KEY}},
        {"ssh": BROKEN_KEY},
        {"namespace": BROKEN_KEY},
        {"hosts": BROKEN_KEY},
    ],
)
@pytest.mark.parametrize("secret_keys", [frozenset(), frozenset({"sshPrivateKey"})])
def test_a_secret_is_never_in_the_text_of_an_error(
    values: dict[str, Any], secret_keys: frozenset[str]
) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(stack(**values), secret_keys=secret_keys)
    assert CANARY not in str(caught.value)
    assert CANARY not in repr(caught.value)
    assert CANARY not in repr(caught.value.problems)


def test_values_of_any_encrypted_key_are_hidden() -> None:
    problems = problems_of(stack(namespace=f"-{CANARY}"), secret_keys=frozenset({"namespace"}))
    assert [problem.value for problem in problems] == ["[secret]"]


def test_a_host_with_an_encrypted_password_is_told_about_but_for_the_password() -> None:
    """Pulumi marks the whole list as secret."""
    values = stack(
        hosts=[
            host(1, "server", address="here", sudoPassword=f"{CANARY}\n"),
            host(2, sudoPassword={"a": CANARY}),
            CANARY,
        ]
    )
    problems = problems_of(values, secret_keys=frozenset({"hosts"}))
    assert {(problem.path, problem.value) for problem in problems} == {
        ("piray:hosts[0].address", '"here"'),
        ("piray:hosts[0].sudoPassword", "[secret]"),
        ("piray:hosts[1].sudoPassword", "[secret]"),
        ("piray:hosts[2]", "[secret]"),
    }
    assert CANARY not in str(problems)


def test_a_password_for_sudo_is_of_the_stack_or_of_a_host() -> None:
    values = stack(
        sudoPassword="all's", hosts=[host(1, "server"), host(2, sudoPassword="own"), host(3, sudoPassword=12)]
    )
    config = parse(values, secret_keys=frozenset({"sudoPassword", "hosts"}))
    passwords = [config.ssh.sudo_password_on(each) for each in config.hosts]
    assert [password and password.reveal() for password in passwords] == ["all's", "own", "12"]
    assert "own" not in repr(config)
    assert "all's" not in repr(config.model_dump())
    assert parse(stack()).ssh.sudo_password_on(config.hosts[0]) is None


def test_a_password_for_sudo_stored_in_clear_is_a_problem() -> None:
    values = stack(sudoPassword=CANARY, hosts=[host(1, "server"), host(2, sudoPassword=CANARY)])
    problems = problems_of(values, secret_keys=frozenset())
    assert [problem.path for problem in problems] == ["piray:sudoPassword", "piray:hosts[1].sudoPassword"]
    assert all("plain text" in problem.rule for problem in problems)
    assert "--path --secret 'piray:hosts[1].sudoPassword'" in problems[1].remedy
    assert CANARY not in str(problems)


def test_a_host_may_have_a_user_and_a_port_of_its_own() -> None:
    config = parse(
        stack(
            hosts=[host(1, "server"), host(2, user="ada", port="2222")],
            ssh={"user": "bob", "port": 22022, "proxy": {**PROXY, "port": 443}},
        )
    )
    first, second = config.hosts
    assert (config.ssh.user_on(first), config.ssh.port_on(first)) == ("bob", 22022)
    assert (config.ssh.user_on(second), config.ssh.port_on(second)) == ("ada", 2222)
    assert config.ssh.proxy is not None
    assert (config.ssh.proxy.address, config.ssh.proxy.port) == ("192.0.2.1", 443)


def test_a_worker_may_have_as_many_cpus_as_a_pi_has_cores() -> None:
    assert parse(with_cpus(4, 4, 4, workers=2, ray={"workerCpus": 4})).workers == 2
    assert parse(with_cpus(4, workers=1)).workers == 1


def test_workers_are_not_counted_where_cores_are_unknown() -> None:
    assert parse(with_cpus(4, 4, None, workers=50)).workers == 50


def test_a_configuration_shows_nothing_of_its_private_key(private_key: str) -> None:
    config = parse(stack(sshPrivateKey=private_key))
    line = private_key.splitlines()[1]
    for text in (repr(config), str(config), f"{config.ssh.private_key}", repr(config.model_dump())):
        assert line not in text
        assert "[secret]" in text


@pytest.fixture
def pulumi_settings() -> Iterator[None]:
    """Put Pulumi's configuration back as it was."""
    before = copy.copy(pulumi_config.CONFIG.get())
    yield
    pulumi.runtime.set_all_config(before, [])


@pytest.mark.usefixtures("pulumi_settings")
class TestLoad:
    def test_reads_what_was_set_in_the_program(self) -> None:
        pulumi.runtime.set_all_config({**stack_config("dev"), "other:key": "x"})
        assert load() == parse(unprefixed(stack_config("dev")))

    def test_reads_what_the_engine_left_in_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        pulumi.runtime.set_all_config({})
        monkeypatch.setenv("PULUMI_CONFIG", json.dumps(stack_config("local")))
        assert load().platform == "local"

    def test_finds_keys_that_nobody_asks_for(self) -> None:
        pulumi.runtime.set_all_config({**stack_config("dev"), "piray:wrokers": "3"})
        with pytest.raises(pulumi.RunError, match=r"piray:wrokers\n.*\n.*Did you mean workers\?"):
            load()

    def test_takes_a_private_key_only_as_a_secret(self, private_key: str) -> None:
        settings = {**stack_config("dev"), "piray:sshPrivateKey": private_key}
        pulumi.runtime.set_all_config(settings, ["piray:sshPrivateKey"])
        assert load().ssh.private_key == Secret(private_key)
        pulumi.runtime.set_all_config(settings, [])
        with pytest.raises(ConfigError, match="stored as plain text"):
            load()

    def test_takes_a_secret_from_the_environment(
        self, private_key: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pulumi.runtime.set_all_config({}, [])
        settings = {**stack_config("dev"), "piray:sshPrivateKey": private_key}
        monkeypatch.setenv("PULUMI_CONFIG", json.dumps(settings))
        monkeypatch.setenv("PULUMI_CONFIG_SECRET_KEYS", json.dumps(["piray:sshPrivateKey"]))
        assert load().ssh.private_key == Secret(private_key)


def test_an_own_reader_of_files_may_refuse() -> None:
    def refuse(path: str) -> str:
        raise InvalidValueError(f"{path} is far away", "Come closer.")

    (problem,) = problems_of(stack(ssh={"privateKeyFile": "key"}), read_file=refuse)
    assert (problem.rule, problem.remedy) == ("key is far away", "Come closer.")


def test_a_key_written_as_the_documentation_calls_it_is_told_its_place() -> None:
    (problem,) = problems_of({**stack(), "k3s.version": "v1.36.5+k3s1"})
    assert problem.remedy.startswith("Write `version: …` on a line of its own below `k3s:`")


def test_the_stack_files_hold_no_key_of_another_project() -> None:
    for name in ("dev", "local"):
        assert {key.split(":")[0] for key in stack_config(name)} == {"piray", "pulumi"}

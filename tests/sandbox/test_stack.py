"""The stack file of the simulated Pis, as the program reads it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from infra import versions
from infra.config.parse import parse
from infra.config.ray import RayConfig
from sandbox.stack import Sources, StackHost, stack_config
from tests.infra.declared import HOST_KEY

HOST = StackHost(name="pi1", address="10.77.0.11", host_key=HOST_KEY, role="server")
SOURCES = Sources(arch="amd64", image="10.77.0.1:8001/ray:1", operator_image="10.77.0.1:8001/operator:1")


def ray(sources: Sources = SOURCES, **options: Any) -> RayConfig:
    config = stack_config([HOST], Path("/key"), sources, **options)
    values = {name.removeprefix("piray:"): value for name, value in config.items()}
    # The SSH agent has the key: there is no file of that name.
    return parse({**values, "ssh": {"user": "pi"}}).ray


def test_the_operator_s_image_is_that_of_the_sandbox() -> None:
    config = ray(ray={"mode": "kuberay"})
    assert (config.mode, config.operator.image) == ("kuberay", SOURCES.operator_image)


def test_where_its_release_is_reached_the_operator_comes_from_there() -> None:
    config = ray(replace(SOURCES, operator_image=None), ray={"mode": "kuberay"})
    assert config.operator.image == versions.KUBERAY_IMAGE


def test_groups_are_there_in_place_of_a_number_of_workers() -> None:
    group = {"name": "near", "replicas": 1, "minReplicas": 1, "maxReplicas": 2, "cpus": 1, "memoryMib": 1024}
    assert "piray:workers" not in stack_config([HOST], Path("/key"), SOURCES, ray={"groups": [group]})
    (found,) = ray(ray={"mode": "kuberay", "groups": [group]}).groups
    assert (found.name, found.max_replicas) == ("near", 2)


def test_without_kuberay_nothing_says_a_word_of_it() -> None:
    config = stack_config([HOST], Path("/key"), SOURCES, workers=1)
    assert (config["piray:workers"], config["piray:ray"].keys() & {"mode", "operator"}) == (1, set())

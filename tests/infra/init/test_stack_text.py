"""The text of a stack file: read back as it was meant, and changed nowhere else."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from infra.config.parse import parse
from infra.init.dialogue.values import InitError
from infra.init.network.host_keys import generate
from infra.init.stack.text import StackAnswers, scalar, stack_text, with_host_keys

OLD, NEW, OTHER = (generate().public for _ in range(3))


def answers(**changes: object) -> StackAnswers:
    hosts = [
        {"name": "no", "address": "192.0.2.11", "role": "server", "hostKey": OLD},
        {"name": "1e3", "address": "192.0.2.12", "role": "agent", "hostKey": NEW},
    ]
    given = {
        "hosts": hosts,
        "user": "on",
        "port": 2222,
        "key_file": None,
        "workers": 2,
        "arch": "arm64",
        "sudo_asks": True,
    }
    return StackAnswers(**{**given, **changes})  # type: ignore[arg-type]


def values(text: str) -> dict[str, object]:
    config = yaml.safe_load(text)["config"]
    return {key.removeprefix("piray:"): value for key, value in config.items()}


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20))
def test_text_in_yaml_is_read_as_the_same_text(text: str) -> None:
    assert yaml.safe_load(f"key: {scalar(text)}") == {"key": text}


def test_names_that_yaml_takes_for_something_else_are_read_by_the_programs_own_parser() -> None:
    stack = parse(values(stack_text("home", answers(), {})))
    assert [(host.name, host.address, host.host_key) for host in stack.hosts] == [
        ("no", "192.0.2.11", OLD),
        ("1e3", "192.0.2.12", NEW),
    ]
    assert (stack.ssh.user, stack.ssh.port, stack.workers) == ("on", 2222, 2)


def test_on_a_single_pi_of_four_cores_the_head_the_worker_and_the_system_have_room() -> None:
    (first, _) = answers().hosts
    single = parse(values(stack_text("home", answers(hosts=[first], workers=1), {})))
    assert single.ray.head_cpus + single.ray.worker_cpus < 4
    assert parse(values(stack_text("home", answers(), {}))).ray.worker_cpus == 3


def test_what_binds_a_stack_to_its_secrets_is_kept() -> None:
    text = stack_text("home", answers(), {"encryptionsalt": "v1:abc=:v1:x:y=="})
    assert yaml.safe_load(text)["encryptionsalt"] == "v1:abc=:v1:x:y=="


def test_the_command_for_the_password_of_sudo_is_there_where_one_is_needed() -> None:
    command = "pulumi config set --stack home --secret piray:sudoPassword"
    assert command in stack_text("home", answers(), {})
    assert command not in stack_text("home", answers(sudo_asks=False), {})


def test_a_host_key_is_replaced_and_nothing_else() -> None:
    text = f"# mine\nconfig:\n  a: '{OLD.replace(' ', '   ')} pi1'  # was compared\n  b: {OTHER}\n"
    assert with_host_keys(text, {OLD: NEW}) == (
        f"# mine\nconfig:\n  a: '{NEW} pi1'  # was compared\n  b: {OTHER}\n"
    )


@pytest.mark.parametrize("text", ["config: {}\n", f"a: {OLD}\nb: {OLD}\n"], ids=["never", "twice"])
def test_a_host_key_that_is_not_there_exactly_once_is_left_to_the_user(text: str) -> None:
    with pytest.raises(InitError, match="does not stand exactly once"):
        with_host_keys(text, {OLD: NEW})

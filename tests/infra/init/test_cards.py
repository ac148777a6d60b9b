"""The files for cards: what the whole program writes where, and what it leaves as it was."""

import os
import subprocess
from collections.abc import Iterator

import pytest
import yaml

from infra.config.stack_file import check_stack_file
from infra.config.values.ssh_keys import parse_private_key
from infra.init.network.host_keys import public_half
from tests.infra.init.card_files import keys_on, state, user_data
from tests.infra.init.conftest import ONE, TWO, Project
from tests.infra.init.test_terminal import answer, answer_unseen, ended, terminal

NEW = [
    "home",
    "--host",
    "pi1=192.0.2.11",
    "--host",
    "pi2=192.0.2.12",
    "--user",
    "anna",
    "--key-file",
    "ssh/key",
]
HASH = "$6$vfLYPUOZLBQX1uJ1$FrQ2q/QO9jv8zFYzQDC7Xp0QtO0bEhAOpQ4VVDj8pTWHc4jDlCqvyJz2Z5s.4QvOAnkTUIPYvJjC1"


def test_a_new_stack_pins_the_keys_of_its_cards_before_their_first_start(project: Project) -> None:
    result = project.init(*NEW, "--cards", "cards", "--gateway", "192.0.2.1")
    assert result.returncode == 0, result.stderr
    check_stack_file(project.stack())
    hosts = yaml.safe_load(project.stack().read_text())["config"]["piray:hosts"]
    for host in hosts:
        folder = project.folder / "cards" / host["name"]
        private, public = keys_on(folder)
        assert public == host["hostKey"] == public_half(parse_private_key(private).reveal())
        assert user_data(folder)["hostname"] == host["name"]
        network = yaml.safe_load((folder / "network-config").read_text())["network"]["ethernets"]["eth0"]
        assert network["addresses"] == [f"{host['address']}/24"]
        assert network["nameservers"] == {"addresses": ["192.0.2.1"]}
        key = (project.folder / "ssh/key.pub").read_text().split()[:2]
        assert user_data(folder)["user"]["ssh_authorized_keys"] == [" ".join(key)]  # type: ignore[index]


def test_a_private_host_key_is_on_its_card_alone_and_for_its_owner_alone(project: Project) -> None:
    assert project.init(*NEW, "--cards", "cards", "--network", "dhcp").returncode == 0
    for name in ("pi1", "pi2"):
        folder = project.folder / "cards" / name
        secret = keys_on(folder)[0].split("\n")[2].encode()
        holders = [
            path for path in project.folder.rglob("*") if path.is_file() and secret in path.read_bytes()
        ]
        assert holders == [folder / "user-data"]
        assert (folder / "user-data").stat().st_mode & 0o077 == 0
        assert folder.stat().st_mode & 0o077 == 0


def test_a_stack_that_exists_gets_the_new_keys_and_keeps_all_else(stack: Project) -> None:
    before = stack.stack().read_text()
    result = stack.init("home", "--cards", "cards", "--network", "dhcp")
    assert result.returncode == 0, result.stderr
    assert "gets the host keys of the new cards of pi1, pi2" in result.stderr
    assert (stack.folder / "Pulumi.home.yaml.bak").read_text() == before
    one, two = (keys_on(stack.folder / "cards" / name)[1] for name in ("pi1", "pi2"))
    assert stack.stack().read_text() == before.replace(ONE, one).replace(TWO, two)


def test_a_second_run_changes_nothing(stack: Project) -> None:
    assert stack.init("home", "--cards", "cards", "--gateway", "192.0.2.1").returncode == 0
    first = state(stack.folder / "cards"), stack.stack().read_text()
    again = stack.init("home", "--cards", "cards", "--gateway", "192.0.2.1")
    assert again.returncode == 0, again.stderr
    assert (state(stack.folder / "cards"), stack.stack().read_text()) == first


def test_other_contents_are_replaced_only_when_told(stack: Project) -> None:
    assert stack.init("home", "--cards", "cards", "--gateway", "192.0.2.1").returncode == 0
    first = state(stack.folder / "cards"), stack.stack().read_text()
    refused = stack.init("home", "--cards", "cards", "--network", "dhcp")
    assert refused.returncode == 2
    assert "cards/pi1/network-config" in refused.stderr
    assert (state(stack.folder / "cards"), stack.stack().read_text()) == first
    assert stack.init("home", "--cards", "cards", "--network", "dhcp", "--replace-cards").returncode == 0
    # The keys are those that the Pis may have already.
    assert stack.stack().read_text() == first[1]


def test_a_pi_that_makes_its_own_key_gets_none_and_the_stack_file_stays(stack: Project) -> None:
    before = stack.stack().read_text()
    options = ["--host-keys", "scan", "--network", "dhcp"]
    assert stack.init("home", "--cards", "cards", *options).returncode == 0
    assert "ssh_keys" not in user_data(stack.folder / "cards/pi1")
    assert stack.stack().read_text() == before


def test_all_that_is_missing_or_wrong_for_cards_is_named_at_once(stack: Project) -> None:
    options = ["--card", "pi9", "--prefix", "99", "--public-key", "ssh/key", "--password-hash", "secret"]
    result = stack.init("home", "--cards", "cards", "--workers", "3", "--host-keys", "none", *options)
    assert result.returncode == 2
    for said in (
        "--workers: Pulumi.home.yaml says this already",
        "--host-keys none must be one of generate, scan",
        "--card pi9 is no Pi of Pulumi.home.yaml",
        "--public-key ssh/key is a private key, which must not lie on a card",
        "--password-hash [not shown] is not the hash of a password",
    ):
        assert said in result.stderr
    assert "secret" not in result.stderr
    assert not (stack.folder / "cards").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--gateway", "198.51.100.1"], "is not in the network 192.0.2.0/24 of the Pi at 192.0.2.11"),
        (["--gateway", "192.0.2.12"], "is the address of a Pi"),
        (["--prefix", "0"], "must be a whole number from 1 to 32"),
        ([], "--gateway is missing"),
        (["--gateway", "192.0.2.1", "--dns", "dns.example"], "is not an IPv4 address"),
        (["--network", "wifi"], "must be one of fixed, dhcp"),
    ],
)
def test_a_network_in_which_a_pi_could_not_be_reached_is_refused(
    stack: Project, options: list[str], said: str
) -> None:
    result = stack.init("home", "--cards", "cards", *options)
    assert result.returncode == 2
    assert said in result.stderr
    assert not (stack.folder / "cards").exists()


def test_sudo_with_a_password_takes_its_hash(stack: Project) -> None:
    result = stack.init("home", "--cards", "cards", "--network", "dhcp", "--password-hash", HASH)
    assert result.returncode == 0, result.stderr
    user = user_data(stack.folder / "cards/pi1")["user"]
    assert isinstance(user, dict)
    assert (user["passwd"], user["lock_passwd"], user["sudo"]) == (HASH, False, "ALL=(ALL) ALL")
    missing = stack.init("home", "--cards", "cards", "--network", "dhcp", "--sudo-password", "ask")
    assert "--password-hash is missing" in missing.stderr


def test_secrets_and_a_user_of_its_own_for_a_pi_are_no_hindrance(stack: Project) -> None:
    text = stack.stack().read_text()
    text = text.replace("role: agent,", "role: agent, user: bob, sudoPassword: {secure: v1:abc=},")
    stack.stack().write_text(text + "  piray:sudoPassword: {secure: v1:def=}\nencryptionsalt: v1:salt\n")
    result = stack.init("home", "--cards", "cards", "--network", "dhcp")
    assert result.returncode == 0, result.stderr
    users = [user_data(stack.folder / "cards" / name)["user"]["name"] for name in ("pi1", "pi2")]  # type: ignore[index]
    assert users == ["anna", "bob"]
    assert "secure: v1:abc=" in stack.stack().read_text()


def test_a_stack_without_pis_has_no_cards(project: Project) -> None:
    project.stack().write_text("config: {piray:platform: local}\n")
    result = project.init("home", "--cards", "cards")
    assert result.returncode == 2
    assert "is for platform local, which has no Pis" in result.stderr


def test_a_stack_file_with_mistakes_is_told_them_as_by_up(stack: Project) -> None:
    stack.stack().write_text(stack.stack().read_text().replace("192.0.2.12", "192.0.2.11"))
    result = stack.init("home", "--cards", "cards", "--network", "dhcp")
    assert result.returncode == 2
    assert "is also the address of hosts[0]" in result.stderr


@pytest.fixture
def agent(project: Project) -> Iterator[str]:
    """An SSH agent of its own, without keys."""
    socket = project.folder / "ssh/agent"
    with subprocess.Popen(["ssh-agent", "-D", "-a", socket], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        # It says where it listens once it does.
        process.stdout.readline()
        try:
            yield str(socket)
        finally:
            process.terminate()


def test_the_keys_of_the_agent_log_in_where_no_file_is_named(project: Project, agent: str) -> None:
    arguments = [*NEW[:-2], "--cards", "cards", "--network", "dhcp"]
    none = project.init(*arguments, SSH_AUTH_SOCK=agent)
    assert none.returncode == 2
    assert "your SSH agent has no key, and without one nobody could log in" in none.stderr
    env = {**os.environ, "SSH_AUTH_SOCK": agent}
    subprocess.run(["ssh-add", "-q", project.folder / "ssh/key"], env=env, check=True)
    assert project.init(*arguments, SSH_AUTH_SOCK=agent).returncode == 0
    user = user_data(project.folder / "cards/pi1")["user"]
    assert isinstance(user, dict)
    assert user["ssh_authorized_keys"] == [(project.folder / "ssh/key.pub").read_text().strip()]


def test_on_a_terminal_the_questions_of_cards_have_defaults_that_fit(stack: Project) -> None:
    with terminal(stack, "--cards", "cards") as child:
        answer(child, ("Is sudo on these Pis to ask for a password", "ask"))
        answer_unseen(child, "Hash of the password for sudo", "secret")
        child.expect_exact("is not the hash of a password")
        answer_unseen(child, "Hash of the password for sudo", HASH)
        answer(
            child,
            ("How does a Pi get its address?", ""),
            ("Length of the network's prefix", ""),
            ("Address of your router", "10.0.0.1"),
            ("is not in the network 192.0.2.0/24", ""),
            ("Addresses of the name servers", "192.0.2.1 198.51.100.1"),
            ("Go on?", "y"),
        )
        status, _ = ended(child)
    assert status == 0
    network = yaml.safe_load((stack.folder / "cards/pi2/network-config").read_text())
    assert network["network"]["ethernets"]["eth0"]["routes"] == [{"to": "0.0.0.0/0", "via": "192.0.2.1"}]
    assert network["network"]["ethernets"]["eth0"]["nameservers"]["addresses"] == [
        "192.0.2.1",
        "198.51.100.1",
    ]


def test_the_keys_of_pis_that_run_are_replaced_only_after_a_yes(stack: Project) -> None:
    before = stack.stack().read_text()
    with terminal(stack, "--cards", "cards", "--network", "dhcp", "--sudo-password", "none") as child:
        child.expect_exact("with their old cards are no longer recognised")
        answer(child, ("Go on?", "n"))
        status, said = ended(child)
    assert status == 2
    assert "Name the Pis whose cards are new by --card" in said
    assert stack.stack().read_text() == before
    assert not (stack.folder / "cards").exists()


def test_the_command_to_go_on_with_still_names_the_card_that_was_meant(stack: Project) -> None:
    options = [
        "--cards",
        "cards",
        "--card",
        "pi2",
        "--no-doctor",
        "--network",
        "dhcp",
        "--sudo-password",
        "none",
    ]
    with terminal(stack, *options) as child:
        answer(child, ("Go on?", "n"))
        status, said = ended(child)
    assert status == 2
    assert "piray init home --cards cards --card pi2 " in said
    assert "--no-doctor" in said
    assert "by --card" not in said
    assert "Say yes when the cards of pi2 are to be new" in said


def test_all_that_is_wrong_for_the_cards_of_a_new_stack_is_named_at_once_and_rightly(
    project: Project,
) -> None:
    wrong = {
        ("--host", "pi1=192.0.2.300"): 'pi1=192.0.2.300" is not an IP address',
        ("--host", "pi2=192.0.2.12"): "is also the name of hosts[0]; it is also the address of hosts[0]",
        ("--server", "pi9"): "names pi9, which is none of pi2",
        ("--user", "Anna Lee"): "is not the name of a Linux user",
        ("--card", "pi2"): "--card: only for a stack that exists",
        ("--network", "fix us"): "must be one of fixed, dhcp",
        ("--public-key", "ssh/none.pub"): "does not exist.\n    Give the file of a public key, as in",
        ("--port", "2222"): "--port 2222: the SSH server of a new card listens on 22",
        ("--sudo-password", "none"): "--password-hash and --sudo-password none say different things",
        ("--password-hash", HASH): "say different things",
    }
    options = [word for pair in wrong for word in pair]
    result = project.init("home", "--host", "pi2=192.0.2.12", *options, "--cards", "cards")
    assert result.returncode == 2
    for said in wrong.values():
        assert said in result.stderr, said
    assert "private key" not in result.stderr
    assert project.contents() == set()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--gateway", "router"], '--gateway "router" is not an IPv4 address: four numbers with dots'),
        (["--gateway", "2001:db8::1"], '--gateway "2001:db8::1" is not an IPv4 address'),
        (["--gateway", "198.51.100.1"], "is not in the network 192.0.2.0/24 of the Pi at 192.0.2.11"),
        (["--gateway", "127.0.0.1"], "is an address that no other machine has"),
    ],
)
def test_a_wrong_router_is_told_what_a_router_is(project: Project, options: list[str], said: str) -> None:
    result = project.init(*NEW, "--cards", "cards", *options)
    assert result.returncode == 2
    assert said in result.stderr
    assert "address of your router" in result.stderr or "router's address" in result.stderr
    assert "hostname -I" not in result.stderr


def test_a_wrong_name_server_is_told_what_a_name_server_is(project: Project) -> None:
    options = ["--gateway", "192.0.2.1", "--dns", "192.0.2.1", "--dns", "fe80::1"]
    result = project.init(*NEW, "--cards", "cards", *options)
    assert result.returncode == 2
    assert '--dns "192.0.2.1 fe80::1" is not an IPv4 address' in result.stderr
    assert "address of a name server" in result.stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--network", "dhcp", "--gateway", "192.0.2.1"], "--gateway: only with --network fixed"),
        (["--network", "d", "--prefix", "24", "--dns", "192.0.2.1"], "--prefix, --dns: only with"),
    ],
)
def test_what_dhcp_decides_is_refused_and_not_passed_over(
    project: Project, stack: Project, options: list[str], said: str
) -> None:
    for name in ("home", "new"):
        hosts = [] if name == "home" else NEW[1:]
        result = project.init(name, *hosts, "--cards", "cards", *options)
        assert result.returncode == 2
        assert said in result.stderr
        assert not (project.folder / "cards").exists()


def test_the_hash_of_a_password_makes_sudo_ask_on_the_cards_and_in_the_stack(project: Project) -> None:
    options = ["--cards", "cards", "--network", "dhcp", "--password-hash", HASH]
    assert project.init(*NEW, *options).returncode == 0
    assert user_data(project.folder / "cards/pi1")["user"]["passwd"] == HASH  # type: ignore[index]
    assert "sudo asks for a password" in project.stack().read_text()


def test_options_of_cards_are_refused_without_cards(project: Project) -> None:
    result = project.init(*NEW, "--replace-cards", "--password-hash", HASH)
    assert result.returncode == 2
    assert "--password-hash, --replace-cards: only with --cards DIR" in result.stderr


def test_a_host_key_cannot_be_made_for_a_pi_whose_key_is_not_pinned(project: Project) -> None:
    project.stack().write_text(
        "config:\n"
        "  piray:platform: pi\n"
        "  piray:insecureHostKeys: true\n"
        "  piray:hosts: [{name: pi1, address: 192.0.2.11, role: server}]\n"
        "  piray:ssh: {user: anna, privateKeyFile: ssh/key}\n"
        "  piray:workers: 1\n"
    )
    options = ["--cards", "cards", "--network", "dhcp"]
    result = project.init("home", *options, "--host-keys", "generate")
    assert result.returncode == 2
    assert "--host-keys generate: Pulumi.home.yaml pins no host key of pi1" in result.stderr
    assert project.init("home", *options).returncode == 0


def test_mistakes_in_options_are_told_beside_those_of_the_stack_file(project: Project) -> None:
    project.stack().write_text("config: {piray:platform: pi, piray:workers: many}\n")
    result = project.init("home", "--cards", "cards", "--user", "anna", "--host-keys", "none")
    assert result.returncode == 2
    assert "--user: Pulumi.home.yaml says this already" in result.stderr
    assert "--host-keys none must be one of generate, scan" in result.stderr
    assert "piray:workers" in result.stderr

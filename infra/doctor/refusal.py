"""What it means when `ssh` does not get to a host: reason and remedy. Pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from infra.config.model import HostConfig, ProxyConfig, SshConfig
from infra.config.values.ssh_keys import scan_remedy
from infra.doctor.finding import Finding, error

# What ssh says → id, what it means, rule, remedy.
_SWITCH_ON = (
    "see that the Pi is switched on and in the network, and that its address in piray:hosts is right "
    "(`hostname -I` prints it on the Pi)"
)
_MEANINGS: Sequence[tuple[str, tuple[str, str, str, str]]] = (
    (
        r"connect to host .*: Connection refused",
        (
            "ssh-port",
            "nothing answers on its SSH port",
            "every step goes over SSH",
            "turn SSH on (there: sudo systemctl enable --now ssh), or correct {where}port",
        ),
    ),
    (
        r"connect to host .*: Permission denied",
        (
            "address",
            "its address is one for all machines of a network (broadcast)",
            "a host needs an address of its own",
            "correct the address in piray:hosts (`hostname -I` prints it on the Pi)",
        ),
    ),
    (
        r"connect to host .*: (?P<reason>.*)",
        ("reachable", "no connection ({reason})", "every step goes over SSH", _SWITCH_ON),
    ),
    (
        r"(Host key verification failed|IDENTIFICATION HAS CHANGED|no matching host key|host key is known)",
        (
            "host-key",
            "its host key is not the one in the stack file",
            "another machine may answer at this address, or it was installed anew",
            "{scan}; if that is right, put it into {where}hostKey",
        ),
    ),
    (
        r"Too many authentication failures",
        (
            "login",
            "its SSH server refused the login after too many keys of your SSH agent",
            "the right one must be among the first ones",
            "name its file in piray:ssh.privateKeyFile, or leave only that key in the agent "
            "(ssh-add -D; ssh-add FILE)",
        ),
    ),
    (
        r"Permission denied \(",
        (
            "login",
            "user {user} may not log in with {key}",
            "the user must be right, and the key must be in the user's ~/.ssh/authorized_keys",
            "run: ssh-copy-id -i KEY.pub -p {port} {user}@{address}; or correct piray:ssh.user",
        ),
    ),
    (
        r"(Connection (closed|reset)|kex_exchange_identification|banner exchange)",
        (
            "ssh-port",
            "its SSH server ends the connection before the login",
            "it is still starting, or blocks this machine (fail2ban, MaxStartups)",
            "wait a minute and run this again; on the Pi: sudo journalctl -u ssh",
        ),
    ),
    (
        r"(bash: (command )?not found|bash: No such file)",
        (
            "bash",
            "bash is missing",
            "every step is a script for bash",
            "run: sudo apt-get install --yes bash",
        ),
    ),
)


def refusal(host: HostConfig, ssh: SshConfig, said: str, at_jump_host: str = "") -> Finding:
    """Return what ended a connection before the checks began.

    Args:
        host: The host.
        ssh: How to log in.
        said: What ssh printed on its standard error.
        at_jump_host: What the ssh to the jump host has noted.
    """
    words = {
        "user": ssh.user_on(host),
        "address": str(host.address),
        "port": str(ssh.port_on(host)),
        "where": "piray:ssh." if host.port is None else "",
        "key": "the key of the stack" if ssh.private_key else "any key of your SSH agent",
        "scan": scan_remedy(str(host.address), ssh.port_on(host)),
    }
    if ssh.proxy is not None:
        if unreachable := _BEHIND.search(at_jump_host):
            said = f"connect to host {host.address} port {ssh.port_on(host)}: {unreachable['reason']}"
        elif finding := _meaning(at_jump_host, words | _proxy_words(ssh, ssh.proxy)):
            return replace(finding, what=f"the jump host {ssh.proxy.address}: {finding.what}")
    lines = _lines(said)
    last = lines[-1] if lines else "no reason was given"
    return _meaning(said, words) or error(
        "reachable", f"ssh ended with: {last}", "every step goes over SSH", _SWITCH_ON
    )


# What a jump host's ssh notes when the host behind it does not answer.
_BEHIND = re.compile(r"open failed: (?:connect failed|administratively prohibited): (?P<reason>.*)")


def _proxy_words(ssh: SshConfig, proxy: ProxyConfig) -> dict[str, str]:
    return {
        "user": proxy.user or ssh.user or "",
        "address": proxy.address,
        "port": str(proxy.port),
        "where": "piray:ssh.proxy.",
        "scan": scan_remedy(proxy.address, proxy.port),
    }


def _meaning(said: str, words: Mapping[str, str]) -> Finding | None:
    lines = _lines(said)
    for pattern, (id_, *parts) in _MEANINGS:
        found = next((match for match in (re.search(pattern, line) for line in lines) if match), None)
        if found:
            known = {**words, **{name: text or "" for name, text in found.groupdict().items()}}
            what, rule, remedy = (part.format_map(known) for part in parts)
            return error(id_, what, rule, remedy)
    return None


def _lines(said: str) -> list[str]:
    return [line.strip() for line in said.splitlines() if line.strip()]

"""Which host keys are taken: only those that somebody has compared, or said to trust."""

import re
from collections.abc import Mapping, Sequence

from infra.init.dialogue.options import Options
from infra.init.dialogue.questions import Questions
from infra.init.dialogue.values import InitError
from infra.init.network.host_keys import fingerprint, key_file_on_pi, scan
from infra.init.network.hosts import Host

_FINGERPRINT = re.compile(r"SHA256:[A-Za-z0-9+/]{43}")


def check_fingerprints(questions: Questions, given: Sequence[str]) -> None:
    """Put what is no fingerprint among the problems."""
    for one in given:
        if not _FINGERPRINT.fullmatch(one):
            questions.problems.append(
                f"--accept-host-key {one} is not a fingerprint.\n"
                "    Give what `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` prints, from SHA256: on."
            )


def ask_host_keys(questions: Questions, hosts: Sequence[Host], port: int, options: Options) -> list[Host]:
    """Return the hosts with their host keys, each confirmed.

    Raises:
        InitError: If somebody says that a key is not the right one, or that a Pi will not answer.
    """
    keys = _scan_distinct(questions, hosts, port)
    shown = {host["name"]: fingerprint(keys[host["address"]]) for host in hosts if host["address"] in keys}
    for given in set(options.accept_host_key) - set(shown.values()):
        if _FINGERPRINT.fullmatch(given):
            questions.problems.append(
                f"--accept-host-key {given} is not the key of any Pi here.\n"
                "    Compare again: the Pi was installed anew, or another machine answers at its address."
            )
    if questions.interactive:
        questions.refuse_problems()
    open_hosts = [
        host for host in hosts if host["name"] in shown and shown[host["name"]] not in options.accept_host_key
    ]
    if options.trust_scanned_keys:
        questions.said.append("--trust-scanned-keys")
    elif open_hosts:
        _confirm(questions, open_hosts, keys, shown)
    return [{**host, "hostKey": keys[host["address"]]} for host in hosts if host["address"] in keys]


def _scan_distinct(questions: Questions, hosts: Sequence[Host], port: int) -> dict[str, str]:
    """Scan until no two Pis show the same key, as far as somebody can be asked whether to go on."""
    keys = _scan_all(questions, hosts, port)
    while twins := _same_keys(hosts, keys):
        texts = [_same_key(group, keys) for group in twins]
        if not questions.interactive:
            questions.problems += texts
            return keys
        questions.tell("\n".join(texts))
        if not questions.confirm("Ask them again?"):
            raise InitError("nothing was written: two Pis that show the same host key cannot be told apart.")
        keys |= _scan_all(questions, [host for group in twins for host in group], port)
    return keys


def _same_keys(hosts: Sequence[Host], keys: Mapping[str, str]) -> list[list[Host]]:
    groups: dict[str, list[Host]] = {}
    for host in hosts:
        if host["address"] in keys:
            groups.setdefault(keys[host["address"]], []).append(host)
    return [group for group in groups.values() if len(group) > 1]


def _same_key(group: Sequence[Host], keys: Mapping[str, str]) -> str:
    names = " and ".join(f"{host['name']} ({host['address']})" for host in group)
    shown = fingerprint(keys[group[0]["address"]])
    return (
        f"{names} show the same host key, {shown}; each Pi must have its own.\n"
        "    If it is one machine, give the other Pi's address (`hostname -I` there).\n"
        "    If one card is a copy of the other, make new keys on the copy:\n"
        "    sudo rm /etc/ssh/ssh_host_*; sudo dpkg-reconfigure openssh-server"
    )


def _scan_all(questions: Questions, hosts: Sequence[Host], port: int) -> dict[str, str]:
    """Scan until every Pi has answered, as far as somebody can be asked whether to go on."""
    keys: dict[str, str] = {}
    while True:
        missing = [host for host in hosts if host["address"] not in keys]
        questions.tell(f"Asking {', '.join(host['name'] for host in missing)} for the host key …")
        keys |= scan([host["address"] for host in missing], port)
        silent = [host for host in hosts if host["address"] not in keys]
        if not silent:
            return keys
        texts = [
            f"{host['name']}: no SSH server with a usable key answers at {host['address']}, port {port}.\n"
            "    Switch it on, turn SSH on there (sudo raspi-config, Interface Options), compare the address."
            for host in silent
        ]
        if not questions.interactive:
            questions.problems += texts
            return keys
        questions.tell("\n".join(texts))
        if not questions.confirm("Try again?"):
            raise InitError("nothing was written: a Pi that does not answer has no host key to compare.")


def _confirm(
    questions: Questions, hosts: Sequence[Host], keys: Mapping[str, str], shown: Mapping[str, str]
) -> None:
    if not questions.interactive:
        for host in hosts:
            questions.problems.append(
                f"{host['name']} shows the key {shown[host['name']]}, which nobody has compared.\n"
                f"    Run `ssh-keygen -lf {key_file_on_pi(keys[host['address']])}` there; if it prints that,"
                f" add --accept-host-key {shown[host['name']]}"
            )
        return
    width = max(len(host["name"]) for host in hosts)
    for host in hosts:
        kind = keys[host["address"]].split()[0]
        questions.tell(f"  {host['name']:{width}}  {host['address']}  {kind}\n    {shown[host['name']]}")
    files = " ".join(sorted({key_file_on_pi(keys[host["address"]]) for host in hosts}))
    questions.tell(
        "Compare each with what the Pi itself says, at its own screen or by a login that you trust:\n"
        f"  ssh-keygen -lf {files}"
    )
    answer = questions.choose("Are they the same", ("all", "each", "no"), yes="all")
    wrong = [
        host["name"]
        for host in hosts
        if answer == "no"
        or (answer == "each" and not questions.confirm(f"{host['name']}: {shown[host['name']]}?"))
    ]
    if wrong:
        raise InitError(
            f"nothing was written: the host key of {', '.join(wrong)} is not confirmed.\n"
            "    Look which machine has the address (`hostname -I` on the Pi), and run this again."
        )
    for host in hosts:
        questions.said += ["--accept-host-key", shown[host["name"]]]

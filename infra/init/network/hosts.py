"""Which Pis there are, and which of them is the server."""

from collections.abc import Sequence
from functools import partial

from infra.config.problems import InvalidValueError
from infra.config.values import fields
from infra.init.dialogue.options import Options
from infra.init.dialogue.questions import Questions
from infra.init.dialogue.values import check_hosts, check_value
from infra.init.network.discovery import Found, discover, lookup

Host = dict[str, str]


def ask_hosts(questions: Questions, options: Options) -> list[Host]:
    """Return the Pis with name and address; empty if nobody can be asked and none was given."""
    hosts: list[Host] = []
    count = len(questions.problems)
    for given in options.host:
        try:
            _add(hosts, questions, *_split(given))
        except InvalidValueError as error:
            questions.note(error, "--host", given)
    if options.discover:
        _take_found(hosts, questions, discover())
    # Not every Pi announces itself.
    if questions.interactive and (options.discover or not hosts or len(hosts) < len(options.host)):
        _ask_one_by_one(hosts, questions)
    if not hosts and len(questions.problems) == count:
        questions.problems.append(
            "--host is missing. It names a Pi, as in --host pi1=192.0.2.11; repeat it for each."
        )
    return hosts


def _split(given: str) -> tuple[str, str]:
    name, _, address = given.partition("=")
    if address:
        return name, address
    check_value(fields.HostName, name)
    found = lookup(name)
    if found is None:
        raise InvalidValueError(
            f"has no address, and {name}.local is not known on this network",
            f"Give its address, as in --host {name}=192.0.2.11; your router lists the addresses.",
        )
    return name, found


def _add(hosts: list[Host], questions: Questions, name: str, address: str) -> None:
    found: list[InvalidValueError] = []
    host: Host = {}
    for key, kind, value in (("name", fields.HostName, name), ("address", fields.Address, address)):
        try:
            host[key] = check_value(kind, value)
        except InvalidValueError as error:
            found.append(error)
    try:
        # In the place of what is wrong stands what no host has.
        check_hosts([*hosts, {"name": "unnamed-yet", "address": "203.0.113.254", **host}], servers=False)
    except InvalidValueError as error:
        found.append(error)
    if found:
        raise InvalidValueError(
            "; it ".join(error.rule for error in found),
            " ".join(dict.fromkeys(error.remedy for error in found)),
        )
    hosts.append(host)
    questions.said += ["--host", f"{host['name']}={host['address']}"]


def _take_found(hosts: list[Host], questions: Questions, found: Sequence[Found]) -> None:
    known = {host["address"] for host in hosts}
    found = [one for one in found if one.address not in known]
    listed = "\n".join(f"  {number}. {one.name}  {one.address}" for number, one in enumerate(found, start=1))
    if not found:
        questions.tell("No other machine announces itself by mDNS on this network.")
    elif not questions.interactive:
        flags = " ".join(f"--host {one.name}={one.address}" for one in found)
        questions.problems.append(f"--discover found machines; name those that are your Pis: {flags}")
    else:
        questions.tell(f"These machines announce themselves on your network:\n{listed}")
        for one in _choose(questions, found):
            try:
                _add(hosts, questions, one.name, one.address)
            except InvalidValueError as error:
                questions.note(error, "--host", f"{one.name}={one.address}")


def _choose(questions: Questions, found: Sequence[Found]) -> list[Found]:
    numbers = {str(number): one for number, one in enumerate(found, start=1)}

    def check(text: str) -> list[Found]:
        words = text.lower().replace(",", " ").split()
        if words in (["a"], ["all"]):
            return list(found)
        if words in (["n"], ["no"], ["none"]):
            return []
        if not set(words) <= set(numbers):
            raise InvalidValueError(
                "holds a number that is not in the list", "Write numbers, as in 1 3, or all."
            )
        return [numbers[word] for word in dict.fromkeys(words)]

    question = "Which of them are your Pis (numbers, all, or only Enter for none)"
    return questions.ask(question, check, default="") or []


def _ask_one_by_one(hosts: list[Host], questions: Questions) -> None:
    while True:
        more = " (only Enter when there are no more)" if hosts else ""
        name = questions.ask(
            f"Hostname of {'another' if hosts else 'a'} Pi{more}",
            lambda text: _check_name(text, hosts),
            default="" if hosts else None,
        )
        if not name:
            return
        found = lookup(name)
        address = questions.ask(
            f"Address of {name}",
            partial(_check_address, name, hosts),
            default=found,
        )
        _add(hosts, questions, name, str(address))


def _check_name(text: str, hosts: Sequence[Host]) -> str:
    if not text and hosts:
        return ""
    name: str = check_value(fields.HostName, text)
    # An address that no host has: only the name is looked at.
    check_hosts([*hosts, {"name": name, "address": "203.0.113.254"}], servers=False)
    return name


def _check_address(name: str, hosts: Sequence[Host], text: str) -> str:
    address: str = check_value(fields.Address, text)
    check_hosts([*hosts, {"name": name, "address": address}], servers=False)
    return address


def ask_servers(questions: Questions, hosts: Sequence[Host], options: Options) -> list[Host]:
    """Return the hosts with their roles; empty if it is among the problems which of them is a server."""
    names = [host["name"] for host in hosts]
    # A host that has a problem of its own may be the server.
    wrong = {given.partition("=")[0] for given in options.host} - set(names)

    def check(text: str) -> list[Host]:
        servers = text.replace(",", " ").split()
        for server in servers:
            if server not in names and server not in wrong:
                raise InvalidValueError(
                    f"names {server}, which is none of {', '.join(names)}", "Name one of your Pis."
                )
        roles = [{**host, "role": "server" if host["name"] in servers else "agent"} for host in hosts]
        if wrong.isdisjoint(servers):
            check_hosts(roles)
        return roles

    roles = questions.ask(
        "Which Pi runs Kubernetes itself (one, or three; the one with the most memory)",
        check,
        option="--server",
        given=" ".join(options.server) or (names[0] if len(names) == 1 and not wrong else None),
        default=names[0],
        remember=False,
    )
    for host in roles or []:
        if host["role"] == "server":
            questions.said += ["--server", host["name"]]
    return roles or []

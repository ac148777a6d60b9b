"""The kernel options that k3s needs, on the command line of a card that lies in this machine.

The same decisions as those of `infra/hosts/prepare.sh` on a Pi that runs;
`tests/infra/init/test_kernel_options.py` compares the two.
"""

import re

from infra.config.problems import InvalidValueError

OPTIONS = ("cgroup_memory=1", "cgroup_enable=memory", "cgroup_enable=cpuset")
# Ubuntu 25.10 boots from current/.
COMMAND_LINE_FILES = ("current/cmdline.txt", "cmdline.txt")


def with_options(content: bytes) -> bytes:
    """Return a kernel command line file with the options that it lacks at the end of its one line.

    Raises:
        InvalidValueError: If options at its end would not reach the kernel.
    """
    text = content.decode("utf-8", "surrogateescape")
    line = text.rstrip("\r\n")
    _check_line(line)
    missing = [option for option in OPTIONS if not _counts(option, line)]
    return (" ".join([line, *missing]) + text[len(line) :]).encode("utf-8", "surrogateescape")


def _check_line(line: str) -> None:
    if not line.strip():
        raise InvalidValueError(
            "is empty, and has to hold the kernel's options on one line", "Write the image to the card again."
        )
    if re.search(r"[\r\n\0]", line):
        raise InvalidValueError(
            "has more than one line, and the kernel reads the first only", "Join its lines."
        )
    if line.count('"') % 2:
        raise InvalidValueError(
            "has an odd number of double quotes, and an open one swallows every option after it",
            "Close the quote.",
        )
    if "--" in _options(line):
        raise InvalidValueError(
            "holds --, after which options go to init and not to the kernel",
            f"Put {' '.join(OPTIONS)} before it by hand.",
        )


def _options(line: str) -> list[str]:
    # Double quotes protect white space: next_arg in
    # https://github.com/torvalds/linux/blob/master/lib/cmdline.c
    return re.findall(r'(?:"[^"]*"|[^\s"])+', line)


def _counts(wanted: str, line: str) -> bool:
    """Say whether an option is there with nothing after it that takes it back: the last word wins."""
    counts = False
    wanted_name, _, wanted_value = wanted.partition("=")
    controller = "cpuset" if wanted_value == "cpuset" else "memory"
    for option in _options(line):
        name, _, value = option.partition("=")
        if name == "cgroup_disable" and controller in value.split(","):
            counts = False
        elif name == wanted_name == "cgroup_enable":
            counts = counts or controller in value.split(",")
        elif name == wanted_name == "cgroup_memory":
            counts = option == wanted
    return counts

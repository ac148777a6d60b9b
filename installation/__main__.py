"""`python3 -m installation run|dev|bench`: what every target of the Makefile calls first."""

import sys
from pathlib import Path
from typing import Optional

from installation import machine
from installation.environment import LOCKS, Environment, InstallationError


def main(kind: str) -> Optional[str]:
    """Make .venv hold what a kind of work needs; quick if it does already.

    Args:
        kind: a key of `LOCKS`.

    Returns:
        Why that was not possible, in one line.
    """
    environment = Environment(Path(__file__).resolve().parent.parent)
    lock = LOCKS[kind]
    if environment.is_usable() and not (environment.lacks(LOCKS["run"]) or environment.lacks(lock)):
        return None
    if sys.platform == "win32":  # It has no fcntl.
        return "piray: " + str(machine.refusal(machine.here()))
    import fcntl  # noqa: PLC0415

    with open(__file__, "rb") as guard:
        # Another make at the same time waits here, and then finds the work done.
        fcntl.flock(guard, fcntl.LOCK_EX)
        try:
            if not environment.is_usable():
                problem = machine.refusal(machine.here())
                if problem:
                    return "piray: " + problem
                environment.make()
            print("piray: installing into .venv; the first time takes a minute", flush=True)
            environment.install(lock)
        except InstallationError as error:
            return f"piray: {error}"
        except KeyboardInterrupt:
            return "piray: interrupted; the next make starts anew"
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "run"))

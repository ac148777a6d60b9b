"""`python -m bench`: prints a table, writes results/bench.json; fails on wrong answers, never on time."""

import sys
from pathlib import Path

from bench import kernels
from bench.figures import WrongAnswer, table, write


def main() -> int:
    """Return the exit code: 1 if something that was to be timed is wrong."""
    try:
        figures = [*kernels.mandelbrot(), *kernels.monte_carlo()]
    except WrongAnswer as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    write(figures, Path("results/bench.json"))
    print(table(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())

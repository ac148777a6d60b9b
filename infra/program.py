"""How the program ends when Pulumi's engine tells it to."""

import signal


def end_without_traceback() -> None:
    """Let SIGINT end this process at once.

    When a resource fails, the engine ends the program by SIGINT while it waits for the next resource. Python
    would answer with a KeyboardInterrupt and print a traceback beside the error that the user has to read.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)

"""`python -m bench.mocked PROGRAM < CONFIG`: runs a Pulumi program under mocks and tells what that took.

Config and answer are JSON. A process of its own for each run, so that its peak of memory is the program's.
"""

import json
import resource
import runpy
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pulumi.runtime import MockResourceArgs
from pulumi.runtime.mocks import MockMonitor

from sandbox.engine.program.answers import Answers, command_answer
from sandbox.engine.program.under_mocks import run_under_mocks


def main() -> None:
    """Run the program and print CPU seconds, the peak of memory in MB and the number of resources."""
    config = json.load(sys.stdin)
    registered: Counter[str] = Counter()

    def answer(args: MockResourceArgs) -> Mapping[str, Any]:
        registered[args.typ] += 1
        return command_answer(args)

    with tempfile.NamedTemporaryFile() as key:
        # Without an SSH agent, which a machine for measurements may lack.
        key.write(_private_key())
        key.flush()
        config["piray:ssh"] = json.dumps({"user": "pi", "privateKeyFile": key.name})
        begin = time.process_time()
        run_under_mocks(
            lambda: runpy.run_path(sys.argv[1], run_name="__main__"),
            MockMonitor(Answers(answer)),
            config,
            stack="bench",
            preview=False,
        )
        seconds = time.process_time() - begin
    # Linux counts in KiB.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "megabytes": peak, "resources": registered.total()}))


def _private_key() -> bytes:
    key = Ed25519PrivateKey.generate()
    return key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())


if __name__ == "__main__":
    main()

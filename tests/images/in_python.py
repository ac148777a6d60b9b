"""What a Python of an image computes, and how many kernels it had to compile for that: one line of JSON."""

import json

from tests.bench.emulated import answers
from workloads.kernels.disk_cache import tally

if __name__ == "__main__":
    computed = answers()
    print(json.dumps([computed, tally().compiled]))

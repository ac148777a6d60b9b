"""`python -m workloads.cli`: what the command `piray` runs."""

import sys

from workloads.cli.app import main

sys.exit(main())

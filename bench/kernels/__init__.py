"""The kernels on one core against their peers: decides what is timed, and refuses a wrong answer before."""

"""The commands that start a workload and show what it has measured."""

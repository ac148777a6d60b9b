"""Runs a workload beside Ray and tells its runner by events; knows neither stacks nor result files."""

"""A simulated Raspberry Pi: a container that behaves like one, and what can be wrong with it."""

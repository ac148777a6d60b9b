"""The stack file: what it is asked from, what it says, and what is read from one that exists."""

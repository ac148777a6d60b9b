"""The first hour: a stack file from questions or options, and the files that prepare a Pi's card."""

"""`piray doctor`: looks at all hosts of a stack, changes nothing, and says what will go wrong."""

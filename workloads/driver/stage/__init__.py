"""What a demo stands on: it says, checks, and lists what Ray's state API knows of it."""

"""Ray's dashboard in the user's browser: a proxy of this machine has the token, for that browser alone."""

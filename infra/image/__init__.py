"""The Ray image as an archive, made without Docker, a daemon or root; no foreign code is run."""

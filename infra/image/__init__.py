"""The Ray image as an archive, made by this program alone: no Docker, no daemon, no root, no foreign code run."""

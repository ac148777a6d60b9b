"""What this machine does for the sandbox: processes, a Docker daemon, caches; knows no Pi and no image."""

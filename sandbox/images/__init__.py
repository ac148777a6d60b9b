"""The root file systems and container images that the sandbox makes; knows no host that runs them."""

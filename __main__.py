"""From the stack's config to a Ray cluster and its outputs."""

from infra import program
from infra.config.load import load
from infra.outputs import export
from infra.platforms import local, pi

PLATFORMS = {"pi": pi.declare, "local": local.declare}

program.begin()
config = load()
outputs = PLATFORMS[config.platform](config)
export(outputs)
program.wait(outputs)

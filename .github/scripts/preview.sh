#!/usr/bin/env bash
# preview.sh <folder>: writes <folder>/comment.md, what this checkout changes against the one in ./base, for each of
# its stack files. Called by workflows/preview.yaml; runs on any machine that has, or can download, the Pulumi CLI.
set -euo pipefail

out=$1
mkdir -p "$out/state"
export PULUMI_BACKEND_URL="file://$out/state"

# preview <checkout> <stack>: the preview of a stack that does not exist yet, as JSON.
preview() {
  # The second target is that of a base from before 28 November 2026.
  make -C "$1" install-run >&2 || make -C "$1" .venv/.installed >&2
  (cd "$1" && .venv/bin/python -m infra.pulumi_cli preview "$2" --json)
}

arguments=()
for file in Pulumi.*.yaml; do
  stack=${file#Pulumi.}
  stack=${stack%.yaml}
  preview . "$stack" >"$out/$stack.json"
  argument=$stack=$out/$stack.json
  if [ -e "base/$file" ]; then
    preview base "$stack" >"$out/$stack-base.json"
    argument+=,$out/$stack-base.json
  fi
  arguments+=("$argument")
done
.venv/bin/python -m infra.preview "${arguments[@]}" >"$out/comment.md"

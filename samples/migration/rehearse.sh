#!/usr/bin/env bash
# Carry the whole migration out on the sandbox, as a job would on Visma: nothing leaves this machine.
set -eo pipefail
cd "$(dirname "$0")"

# what this shell is set up for, a target or a shared journal, is no matter of a rehearsal
unset "${!VISMA_IMPORT_@}"
# the program of the folder above, where this is still a sample in it
command -v visma-import > /dev/null || PATH="$PWD/../../.venv/bin:$PATH"

say() { printf '\n== %s\n' "$*"; }

say "An empty company"
visma-import sandbox reset

say "Test the mappings, check the workbooks: no connection"
visma-import test
visma-import check migration.yaml

say "Plan: what would be sent, saved to be looked at"
visma-import plan migration.yaml --target sandbox -o migration.plan -o plan.xlsx

say "Apply: exactly that"
visma-import run --plan migration.plan --target sandbox

say "Apply again: refused"
code=0
visma-import run --plan migration.plan --target sandbox || code=$?
[ "$code" = 3 ] || { echo "The plan was taken twice (exit code $code)." >&2; exit 1; }

say "Run again, without a plan: everything is there already, nothing is sent"
visma-import run migration.yaml --target sandbox

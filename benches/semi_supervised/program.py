"""Runs of the program, for these scripts."""

import json
import subprocess


def run(program, *words):
    """What a command prints. Exit code 1 is a finished run, too: with fewer mini-clusters than clusters."""
    command = [str(word) for word in (program, *words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):
        raise SystemExit(f"{' '.join(command)}: {done.stderr}")
    return done.stdout


def metrics(program, *words):
    """The numbers of a run."""
    return json.loads(run(program, *words, "--json", "--quiet", "--no-curve"))

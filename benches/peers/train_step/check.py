"""Holds the losses of train_step.py against ours: same weights, same batch. See README.md."""

import json
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from statistics import mean, stdev

import torch
from safetensors.torch import load_file

from compare import build
from train_step import Settings, Step

SMALL = Settings((20, 16, 12, 10), True, True, 100, True)
CASES = {
    "vat-im": replace(SMALL, ladder=False, labels=False),
    "ladder": SMALL,
    "quiet": replace(SMALL, vat=False, noise_std=0.0),
}


def load(step: Step, file: Path):
    """Our first weights into PyTorch's network."""
    ours = load_file(file)
    top = len(step.weights)
    pairs = [(w, f"encoder.{i}.weight") for i, w in enumerate(step.weights)]
    pairs += [(s, f"encoder.{i}.shift") for i, s in enumerate(step.shifts)]
    pairs += [(w, f"decoder.{top - 1 - i}.weight") for i, w in enumerate(step.downward)]
    pairs += [(a, f"decoder.{top - i}.combinator") for i, a in enumerate(step.combinators)]
    with torch.no_grad():
        for parameter, name in pairs:
            assert parameter.shape == ours[name].shape, name
            parameter.copy_(ours[name])


def main():
    torch.manual_seed(0)
    bad = 0
    with tempfile.TemporaryDirectory() as folder:
        command = [build(), "--losses", folder]
        found = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
        x, distances = torch.tensor(found["features"]), torch.tensor(found["distances"])
        labelled, labels = x[found["labelled"]], torch.tensor(found["labels"])
        for name, settings in CASES.items():
            ours = found["losses"][name]
            for compiled in (False, True):
                step = Step(settings, compiled)
                load(step, Path(folder, name, "model-00.safetensors"))
                batch = [x, distances, found["spread"]] + [labelled, labels] * settings.labels
                theirs = [step.loss(*batch).item() for _ in ours["at_start"]]
                gap = mean(theirs) - mean(ours["at_start"])
                # Of two means over random draws; without draws, what rounding leaves.
                error = ((stdev(theirs) ** 2 + stdev(ours["at_start"]) ** 2) / len(theirs)) ** 0.5
                bound = 4 * error + 1e-5 * abs(mean(theirs))
                bad += abs(gap) > bound
                how = "compiled" if compiled else "eager"
                print(f"{name:8} {how:8} loss {mean(theirs):10.5f}  gap {gap:9.2e}  bound {bound:.2e}")
                if name != "quiet":
                    continue
                # Without random numbers, twenty steps of Adam take the same way: every gradient is right.
                gaps = [abs(step(*batch).item() / loss - 1) for loss in ours["trained"]]
                bad += max(gaps) > 1e-3
                print(f"{name:8} {how:8} 20 steps to {ours['trained'][-1]:.4f}, largest relative gap {max(gaps):.1e}")
    sys.exit(f"{bad} checks failed" if bad else 0)


if __name__ == "__main__":
    main()

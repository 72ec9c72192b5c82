"""The training steps of train_step.py for ten models on a GPU: model after model, and all at once with torch.func.vmap.

Measures one case and prints JSON; `--check` holds the batched losses and gradients against each model's own. See README.md.
"""

import argparse
import json
import sys
import time
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch.func import functional_call, grad, vmap

import train_step
from train_step import CASES, LABEL_BATCH, K, Settings, combine, information_maximisation


def normalise(x):
    """As in train_step.py, of operations that vmap knows."""
    mean = x.mean(0)
    inverse_std = (x.var(0, correction=0) + 1e-5).rsqrt()
    return (x - mean) * inverse_std, (mean.detach(), inverse_std.detach())


class Network(torch.nn.Module):
    """The losses of train_step.Step as a function of its parameters; noise comes from outside."""

    def __init__(self, step: train_step.Step):
        super().__init__()
        self.settings = step.settings
        names = ("weights", "shifts", "downward", "combinators")
        for name in names:
            values = [torch.nn.Parameter(value.detach().clone()) for value in getattr(step, name)]
            setattr(self, name, torch.nn.ParameterList(values))

    def encode(self, x, noise=None, frozen=False):
        constant = (lambda t: t.detach()) if frozen else (lambda t: t)
        corrupt = lambda t, layer: t if noise is None else t + self.settings.noise_std * noise[layer]
        hidden = corrupt(x, 0)
        zs, statistics = [hidden], [None]
        last = len(self.weights) - 1
        for index in range(last + 1):
            z, used = hidden @ constant(self.weights[index]), None
            if index < last:
                z, used = normalise(z)
            z = corrupt(z, index + 1)
            hidden = z + constant(self.shifts[index])
            hidden = F.relu(hidden) if index < last else hidden
            zs.append(z)
            statistics.append(used)
        return hidden, zs, statistics

    def denoising(self, clean, corrupted):
        (_, targets, statistics), (logits, laterals, _) = clean, corrupted
        signal, total = F.softmax(logits, 1), 0.0
        top = len(targets) - 1
        for step in range(top + 1):
            layer = top - step
            guess = combine(laterals[layer], normalise(signal)[0], self.combinators[step])
            if step < top:
                signal = guess @ self.downward[step]
            if statistics[layer] is not None:
                mean, inverse_std = statistics[layer]
                guess = (guess - mean) * inverse_std
            total = total + self.settings.costs[layer] * F.mse_loss(guess, targets[layer])
        return total

    def moved(self, x, logits, direction, radii, spread):
        start = direction * (self.settings.probe * spread / torch.linalg.vector_norm(direction, dim=1, keepdim=True))
        change = lambda probe: consistency(logits, self.encode(probe, frozen=True)[0])
        gradient = grad(change)(x + start)
        length = torch.linalg.vector_norm(gradient, dim=1, keepdim=True).clamp(min=1e-30)
        return (x + gradient * (self.settings.radius * radii[:, None] / length)).detach()

    def forward(self, batch):
        settings = self.settings
        x = batch["x"]
        clean = self.encode(x)
        loss = settings.im_weight * information_maximisation(clean[0], settings.im_mu)
        if settings.ladder:
            corrupted = self.encode(x, batch["noise"])
            loss = loss + settings.im_weight * information_maximisation(corrupted[0], settings.im_mu)
            loss = loss + self.denoising(clean, corrupted)
        if settings.vat:
            moved = self.moved(x, clean[0].detach(), batch["direction"], batch["radii"], batch["spread"])
            loss = loss + consistency(clean[0], self.encode(moved)[0])
        if settings.labels:
            logits = self.encode(batch["labelled"], batch["labelled_noise"])[0]
            loss = loss + settings.label_weight * F.cross_entropy(logits, batch["labels"])
        return loss


def consistency(anchor, logits):
    """train_step.py's, of operations that vmap knows."""
    log_p = F.log_softmax(anchor.detach(), 1)
    return (log_p.exp() * (log_p - F.log_softmax(logits, 1))).sum(1).mean()


def make_batch(settings: Settings, models: int, device) -> dict:
    """Random samples with a leading dimension for models."""
    n = settings.batch
    draw = lambda *shape: torch.randn(models, *shape, device=device)
    batch = {"x": draw(n, settings.widths[0]).mul_(0.25).add_(0.5).clamp_(0, 1)}
    if settings.ladder:
        batch["noise"] = [draw(n, width) for width in settings.widths]
    if settings.vat:
        batch["direction"] = draw(n, settings.widths[0])
        batch["radii"] = torch.full((models, n), 3.0, device=device)
        batch["spread"] = torch.full((models,), 7.0, device=device)
    if settings.labels:
        batch["labelled"] = batch["x"].repeat(1, -(-LABEL_BATCH // n), 1)[:, :LABEL_BATCH].contiguous()
        batch["labels"] = (torch.arange(LABEL_BATCH, device=device) % K).repeat(models, 1)
        batch["labelled_noise"] = [draw(LABEL_BATCH, width) for width in settings.widths]
    return batch


def redraw(batch: dict):
    """New noise and directions, as every step has them."""
    for name in ("noise", "labelled_noise"):
        for noise in batch.get(name, []):
            noise.normal_()
    if "direction" in batch:
        batch["direction"].normal_()


def one(batch: dict, model: int) -> dict:
    of = lambda value: [part[model] for part in value] if isinstance(value, list) else value[model]
    return {name: of(value) for name, value in batch.items()}


def networks(settings: Settings, models: int, device) -> list[Network]:
    return [Network(train_step.Step(settings, False)).to(device) for _ in range(models)]


class Eager:
    """Model after model, each as train_step.py has it; noise is drawn in the step."""

    def __init__(self, settings, models, device):
        torch.set_default_device(device)
        self.settings, self.steps = settings, [train_step.Step(settings, False) for _ in range(models)]

    def __call__(self, batch):
        for model, step in enumerate(self.steps):
            of = one(batch, model)
            labelled = [of["labelled"], of["labels"]] if self.settings.labels else []
            step(of["x"], of.get("radii"), of.get("spread"), *labelled)


class Batched:
    """All models at once: parameters one above the other, losses under vmap."""

    def __init__(self, settings, models, device):
        parts = networks(settings, models, device)
        self.base = parts[0]
        named = [dict(network.named_parameters()) for network in parts]
        stack = lambda name: torch.stack([of[name].detach() for of in named]).requires_grad_()
        self.parameters = {name: stack(name) for name in named[0]}
        self.adam = torch.optim.Adam(self.parameters.values(), lr=settings.learning_rate, fused=True)

    def losses(self, batch):
        of_one = lambda parameters, batch: functional_call(self.base, parameters, (batch,))
        return vmap(of_one, randomness="different")(self.parameters, batch)

    def __call__(self, batch):
        self.adam.zero_grad(set_to_none=True)
        self.losses(batch).sum().backward()
        self.adam.step()


def measure(arguments) -> dict:
    settings, device = CASES[arguments.case], torch.device(arguments.device)
    torch.backends.cuda.matmul.allow_tf32 = arguments.tf32
    step = {"eager": Eager, "vmap": Batched}[arguments.mode](settings, arguments.models, device)
    batch = make_batch(settings, arguments.models, device)
    wait = torch.cuda.synchronize if device.type == "cuda" else lambda: None

    def run(seconds):
        wait()
        start, steps = time.perf_counter(), 0
        while time.perf_counter() - start < seconds:
            for _ in range(10):
                if arguments.mode == "vmap":
                    redraw(batch)
                step(batch)
            wait()
            steps += 10
        return steps / (time.perf_counter() - start)

    run(arguments.seconds / 3)
    rate = run(arguments.seconds) * settings.batch * arguments.models
    precision = "tf32" if arguments.tf32 else "f32"
    return {"case": arguments.case, "who": f"PyTorch {arguments.mode}", "precision": precision, "samples_per_second": rate}


def check(device) -> int:
    """Largest relative differences of batched losses and gradients from each model's own, and from train_step.py's."""
    bad, models = 0, 3
    small = Settings((20, 16, 12, K), True, True, 50, True)
    for name, settings in {
        "vat-im": replace(small, ladder=False, labels=False),
        "ladder": replace(small, vat=False),
        "ladder-vat-labels": small,
    }.items():
        torch.manual_seed(0)
        batched = Batched(settings, models, device)
        batch = make_batch(settings, models, device)
        losses = batched.losses(batch)
        losses.sum().backward()
        gaps = []
        for model in range(models):
            alone = {name: value[model].detach().requires_grad_() for name, value in batched.parameters.items()}
            loss = functional_call(batched.base, alone, (one(batch, model),))
            loss.backward()
            gaps.append(abs(losses[model].item() / loss.item() - 1))
            for name_of, value in alone.items():
                found = batched.parameters[name_of].grad[model]
                gaps.append(((found - value.grad).abs().max() / value.grad.abs().max().clamp(min=1e-6)).item())
        # Without noise, the loss is that of train_step.py.
        quiet = replace(settings, noise_std=0.0, vat=False)
        step = train_step.Step(quiet, False)
        x = one(batch, 0)
        labelled = [x["labelled"], x["labels"]] if settings.labels else []
        theirs = step.loss(x["x"].cpu(), None, None, *[t.cpu() for t in labelled]).item()
        ours = Network(step).to(device)(x).item()
        gaps.append(abs(ours / theirs - 1))
        bad += max(gaps) > 1e-3
        print(f"{name:18} largest relative gap {max(gaps):.1e}")
    return bad


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("case", choices=CASES, nargs="?")
    parser.add_argument("--mode", choices=["eager", "vmap"], default="vmap")
    parser.add_argument("--models", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--tf32", action="store_true")
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    if arguments.check:
        sys.exit(check(torch.device(arguments.device)))
    if not arguments.case:
        parser.error("which case?")
    print(json.dumps(measure(arguments)))


if __name__ == "__main__":
    main()

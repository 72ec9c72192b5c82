"""The training steps of ../../train_step.rs in PyTorch on the CPU: same passes, same losses, as its users write them.

Measures one case and prints JSON. See README.md.
"""

import argparse
import json
import math
import sys
import time
from dataclasses import dataclass

import torch
import torch._inductor.config
import torch.multiprocessing as multiprocessing
import torch.nn.functional as F

# The compiler's own normal numbers are slow on the CPU: with torch.randn's a compiled ladder is half as fast again.
torch._inductor.config.fallback_random = True

K = 10
STEPS_AN_EPOCH = 4
LABEL_BATCH = 100


@dataclass(frozen=True)
class Settings:
    """NetworkParams, as far as they matter to a step."""

    widths: tuple[int, ...]
    ladder: bool
    vat: bool
    batch: int
    labels: bool
    noise_std: float = 0.3
    costs: tuple[float, ...] = (1000.0, 10.0, 0.1, 0.1)
    im_weight: float = 0.1
    im_mu: float = 4.0
    label_weight: float = 4.0
    radius: float = 0.5
    probe: float = 3.0
    learning_rate: float = 0.002


CASES = {
    "vat-im-64": Settings((64, 500, 500, K), False, True, 250, False),
    "vat-im-784": Settings((784, 500, 500, K), False, True, 250, False),
    "ladder": Settings((784, 1200, 1200, K), True, False, 256, False),
    "ladder-labels": Settings((784, 1200, 1200, K), True, False, 256, True),
    "ladder-vat": Settings((784, 1200, 1200, K), True, True, 256, False),
    "ladder-vat-labels": Settings((784, 1200, 1200, K), True, True, 256, True),
}


def normalise(x):
    """Batch normalisation; what it was normalised with, as constants."""
    y, mean, inverse_std = torch.native_batch_norm(x, None, None, None, None, True, 0.0, 1e-5)
    return y, (mean.detach(), inverse_std.detach())


def information_maximisation(logits, mu):
    log_p = F.log_softmax(logits, 1)
    of_samples = -(log_p.exp() * log_p).sum(1).mean()
    log_mean = torch.logsumexp(log_p, 0) - math.log(len(logits))
    return of_samples + mu * (log_mean.exp() * log_mean).sum()


def consistency(anchor, logits):
    log_p = F.log_softmax(anchor.detach(), 1)
    return F.kl_div(F.log_softmax(logits, 1), log_p, reduction="batchmean", log_target=True)


def combine(z, u, a):
    """The ten-parameter combinator; `a` has shape (10, width)."""
    a1, a2, a3, a4, a5, a6, a7, a8, a9, a10 = a.unbind()
    mu = torch.addcmul(torch.addcmul(a5, a4, u), a1, torch.sigmoid(torch.addcmul(a3, a2, u)))
    v = torch.addcmul(torch.addcmul(a10, a9, u), a6, torch.sigmoid(torch.addcmul(a8, a7, u)))
    return torch.addcmul(mu, z - mu, v)


class Step:
    """A network, its optimiser, and what happens to a batch."""

    def __init__(self, settings: Settings, compiled: bool):
        self.settings = settings
        widths = settings.widths
        pairs = list(zip(widths, widths[1:]))
        gains = [2.0] * (len(pairs) - 1) + [1.0]
        normal = lambda i, o, gain: torch.randn(i, o).mul_(math.sqrt(gain / i)).requires_grad_()
        self.weights = [normal(i, o, gain) for (i, o), gain in zip(pairs, gains)]
        self.shifts = [torch.zeros(o, requires_grad=True) for _, o in pairs]
        self.downward, self.combinators = [], []  # the topmost first
        if settings.ladder:
            self.downward = [normal(o, i, 1.0) for i, o in reversed(pairs)]
            start = torch.tensor([0.0, 1, 0, 0, 0, 0, 1, 0, 0, 0])[:, None]
            self.combinators = [start.repeat(1, w).requires_grad_() for w in reversed(widths)]
        self.adam = torch.optim.Adam(self.parameters(), lr=settings.learning_rate, fused=True)
        wrap = (lambda f: torch.compile(f, dynamic=False)) if compiled else (lambda f: f)
        # A direction's own backward pass lies between the clean pass and the losses: compiled apart where there is one.
        self.run_clean, self.run_rest, self.run_probe = map(wrap, (self.clean, self.rest, self.probe_loss))
        self.run_whole = wrap(lambda *batch: self.rest(self.clean(batch[0]), *batch))

    def parameters(self):
        return self.weights + self.shifts + self.downward + self.combinators

    def forward(self, x, corrupted=False, frozen=False, keep=False):
        """Logits; with `keep`, also every layer's z and what it was normalised with."""
        constant = (lambda t: t.detach()) if frozen else (lambda t: t)
        std = self.settings.noise_std if corrupted else 0.0
        corrupt = (lambda t: torch.add(t, torch.randn_like(t), alpha=std)) if std else (lambda t: t)
        hidden = corrupt(x)
        zs, statistics = [hidden], [None]
        last = len(self.weights) - 1
        for index, (weight, shift) in enumerate(zip(map(constant, self.weights), map(constant, self.shifts))):
            if index == last:
                if not keep and not std:
                    return torch.addmm(shift, hidden, weight), zs, statistics
                z, used = corrupt(hidden @ weight), None
                hidden = z + shift
            elif not keep and not std:
                hidden = F.relu_(F.batch_norm(hidden @ weight, None, None, None, shift, True))
                continue
            else:
                z, used = normalise(hidden @ weight)
                z = corrupt(z)
                hidden = F.relu_(z + shift)
            zs.append(z)
            statistics.append(used)
        return hidden, zs, statistics

    def denoising(self, clean, corrupted):
        (_, targets, statistics), (logits, laterals, _) = clean, corrupted
        signal, total = F.softmax(logits, 1), 0.0
        top = len(targets) - 1
        for step, combinator in enumerate(self.combinators):
            layer = top - step
            guess = combine(laterals[layer], normalise(signal)[0], combinator)
            if step < len(self.downward):
                signal = guess @ self.downward[step]
            if statistics[layer] is not None:
                mean, inverse_std = statistics[layer]
                guess = (guess - mean) * inverse_std
            total = total + self.settings.costs[layer] * F.mse_loss(guess, targets[layer])
        return total

    def clean(self, x):
        return self.forward(x, keep=self.settings.ladder)

    def probe_loss(self, probe, logits):
        return consistency(logits, self.forward(probe, frozen=True)[0])

    def moved(self, x, logits, radii, spread):
        """Each sample moved in the direction that changes the answer most."""
        start = torch.randn_like(x)
        start *= self.settings.probe * spread / torch.linalg.vector_norm(start, dim=1, keepdim=True)
        probe = start.add_(x).requires_grad_()
        (gradient,) = torch.autograd.grad(self.run_probe(probe, logits), probe)
        length = torch.linalg.vector_norm(gradient, dim=1, keepdim=True).clamp_min_(1e-30)
        return torch.addcmul(x, gradient, radii[:, None] / length)

    def rest(self, clean, x, moved, labelled, labels):
        """The losses of a batch."""
        settings = self.settings
        loss = settings.im_weight * information_maximisation(clean[0], settings.im_mu)
        if settings.ladder:
            corrupted = self.forward(x, corrupted=True, keep=True)
            loss = loss + settings.im_weight * information_maximisation(corrupted[0], settings.im_mu)
            loss = loss + self.denoising(clean, corrupted)
        if moved is not None:
            loss = loss + consistency(clean[0], self.forward(moved)[0])
        if labelled is not None:
            logits = self.forward(labelled, corrupted=True)[0]
            loss = loss + settings.label_weight * F.cross_entropy(logits, labels)
        return loss

    def loss(self, x, radii, spread, labelled=None, labels=None):
        if not self.settings.vat:
            return self.run_whole(x, None, labelled, labels)
        clean = self.run_clean(x)
        moved = self.moved(x, clean[0].detach(), self.settings.radius * radii, spread)
        return self.run_rest(clean, x, moved, labelled, labels)

    def __call__(self, *batch):
        loss = self.loss(*batch)
        self.adam.zero_grad(set_to_none=True)
        loss.backward()
        self.adam.step()
        return loss.detach()


class Data:
    """Blobs as in train_step.rs, and their batches."""

    def __init__(self, settings: Settings):
        self.settings = settings
        n, width = STEPS_AN_EPOCH * settings.batch, settings.widths[0]
        centres = torch.randn(K, width)
        blob = torch.arange(n) % K
        self.x = (0.5 + 0.25 * centres[blob] + 0.15 * torch.randn(n, width)).clamp_(0, 1)
        self.distances = torch.cdist(self.x, self.x).kthvalue(11, dim=1).values
        self.spread = self.x.var(0, correction=0).sum().sqrt().item()
        self.by_cluster = [torch.arange(c, n, K)[::2] for c in range(K)]
        self.labels = torch.arange(K).repeat_interleave(LABEL_BATCH // K)

    def epoch(self):
        settings = self.settings
        shuffled = [samples[torch.randperm(len(samples))] for samples in self.by_cluster]
        for step, samples in enumerate(torch.randperm(len(self.x)).split(settings.batch)):
            batch = [self.x[samples], self.distances[samples], self.spread]
            if settings.labels:
                at = (torch.arange(LABEL_BATCH // K) + step * (LABEL_BATCH // K))
                drawn = torch.cat([of[at % len(of)] for of in shuffled])
                batch += [self.x[drawn], self.labels]
            yield batch


def products(settings: Settings):
    """The step's matrix products, (rows, inner, columns, kind) each; kind: n plain, a or b which side is transposed."""
    pairs = list(zip(settings.widths, settings.widths[1:]))
    up = lambda n: [(n, i, o, "n") for i, o in pairs]
    of_weights = lambda n: [(i, n, o, "a") for i, o in pairs]
    of_inputs = lambda n, first: [(n, o, i, "b") for i, o in pairs[0 if first else 1 :]]
    learn = lambda n: up(n) + of_weights(n) + of_inputs(n, False)
    n = settings.batch
    found = learn(n)  # clean
    if settings.ladder:
        found += learn(n)  # corrupted
        for i, o in pairs:  # decoder
            found += [(n, o, i, "n"), (o, n, i, "a"), (n, i, o, "b")]
    if settings.vat:
        found += up(n) + of_inputs(n, True) + learn(n)  # probe; moved
    if settings.labels:
        found += learn(LABEL_BATCH)
    return found


def flop(settings: Settings):
    """Of the products of a step."""
    return sum(2 * rows * inner * columns for rows, inner, columns, _ in products(settings))


def multiply(settings: Settings):
    """A function that does the step's products and nothing else, each on matrices of its own."""
    work = []
    for rows, inner, columns, kind in products(settings):
        a = torch.randn(inner, rows).t() if kind == "a" else torch.randn(rows, inner)
        b = torch.randn(columns, inner).t() if kind == "b" else torch.randn(inner, columns)
        work.append((a, b, torch.empty(rows, columns)))
    return lambda: [torch.mm(a, b, out=out) for a, b, out in work]


def worker(arguments, barrier, orders, answers):
    """Gets ready, and then measures whenever it is told to."""
    torch.set_num_threads(arguments.threads // arguments.processes)
    settings = CASES[arguments.case]
    if arguments.mode == "mm":
        epoch, samples = multiply(settings), settings.batch
    else:
        step, data = Step(settings, arguments.mode == "compile"), Data(settings)
        epoch = lambda: [step(*batch) for batch in data.epoch()]
        samples = settings.batch * STEPS_AN_EPOCH
    for _ in range(2):
        epoch()
    while orders.get():
        epoch()
        barrier.wait()
        start, epochs = time.perf_counter(), 0
        while time.perf_counter() - start < arguments.seconds:
            epoch()
            epochs += 1
        answers.put(samples * epochs / (time.perf_counter() - start))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("case", choices=CASES)
    parser.add_argument("--mode", choices=["eager", "compile", "mm"], default="eager")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--processes", type=int, default=1, help="models side by side, which share the threads")
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--serve", action="store_true", help="measure once for every line on standard input")
    arguments = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    barrier, answers = context.Barrier(arguments.processes), context.Queue()
    orders = [context.Queue() for _ in range(arguments.processes)]
    workers = [context.Process(target=worker, args=(arguments, barrier, queue, answers)) for queue in orders]
    for process in workers:
        process.start()
    settings = CASES[arguments.case]
    for _ in sys.stdin if arguments.serve else [""]:
        for queue in orders:
            queue.put(True)
        rate = sum(answers.get(timeout=600) for _ in workers)
        gflops = rate * flop(settings) / settings.batch / 1e9
        print(json.dumps({"samples_per_second": rate, "gflops": gflops}), flush=True)
    for queue in orders:
        queue.put(False)
    for process in workers:
        process.join()


if __name__ == "__main__":
    main()

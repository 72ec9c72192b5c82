"""Writes step.json: whole training steps by PyTorch, for the tests of both engines (ensembles/src/engine/reference.rs).

    python3 -m venv VENV && VENV/bin/pip install torch numpy
    VENV/bin/python tests/reference/step.py

A step is written here from the papers, in 64 bits, with PyTorch's own operations and gradients: the ladder network (Rasmus et al.,
2015, with Pezeshki et al.'s vanilla combinator, 2016), virtual adversarial training (Miyato et al., 2018), information maximisation
(Krause et al., 2010), and Adam. Noise is drawn by position with Philox4x32-10 (Salmon et al., 2011), as the engines draw it.
Seeds are fixed: the same versions write the same bytes.
"""

import json
from pathlib import Path

import numpy as np
import torch

N, BATCH, LABELLED = 14, 8, 4
WIDTHS = [6, 5, 3]
STEP, NEIGHBOUR, EPSILON, RATE = 2, 10, 1e-5, 0.002
NOISE, DIRECTIONS = [5, 6], [7, 8]


def philox(counter, key):
    a, b, c, d = counter
    key = list(key)
    for _ in range(10):
        of_a, of_c = a * 0xD2511F53, c * 0xCD9E8D57
        a, b, c, d = (of_c >> 32) ^ b ^ key[0], of_c & 0xFFFFFFFF, (of_a >> 32) ^ d ^ key[1], of_a & 0xFFFFFFFF
        key = [(key[0] + 0x9E3779B9) & 0xFFFFFFFF, (key[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return a, b, c, d


def normal_pair(length, direction):
    """Box and Muller: one word is the length, the other the direction, whose quadrant is its first two bits."""
    radius = np.sqrt(-2 * np.log(((length >> 8) + 0.5) / 2**24))
    angle = ((((direction >> 6) & 0xFFFFFF) + 0.5) / 2**24 - 0.5) * np.pi / 2
    x, y = np.cos(angle), np.sin(angle)
    if direction >> 31:
        x, y = y, x
    if (direction >> 30) & 1:
        radius = -radius
    return radius * x, radius * y


def noise(key, rows, width, layer):
    """Column c is number c / 16 % 4 of counter (c / 64 * 16 + c % 16, row, step, layer)."""
    values = np.empty((rows, width))
    for row in range(rows):
        for column in range(width):
            words = philox((column // 64 * 16 + column % 16, row, STEP, layer), key)
            four = normal_pair(*words[:2]) + normal_pair(*words[2:])
            values[row, column] = four[column // 16 % 4]
    return torch.tensor(values)


def normalise(values):
    mean, variance = values.mean(0), values.var(0, unbiased=False)
    return (values - mean) / torch.sqrt(variance + EPSILON), (mean.detach(), variance.detach())


class Network:
    def __init__(self, settings, parameters):
        self.settings, self.parameters = settings, parameters

    def forward(self, samples, corrupted=None, frozen=False):
        """All layers' z, what they were normalised with, and the logits. `corrupted`: 0, and 1 for labelled samples."""

        def corrupt(z, layer):
            if corrupted is None:
                return z
            drawn = noise(NOISE, len(z), z.shape[1], 2 * layer + corrupted)
            return z + self.settings["noise_std"] * drawn

        of = lambda name: self.parameters[name].detach() if frozen else self.parameters[name]
        hidden = corrupt(samples, 0)
        activations, statistics = [hidden], [None]
        last = len(WIDTHS) - 2
        for layer in range(last + 1):
            z, used = hidden @ of(f"encoder.{layer}.weight"), None
            if layer < last or self.settings["normalise_last"]:
                z, used = normalise(z)
            z = corrupt(z, layer + 1)
            shifted = z + of(f"encoder.{layer}.shift")
            if layer < last:
                hidden = torch.relu(shifted)
            else:
                hidden = shifted * of(f"encoder.{layer}.scale") if self.settings["normalise_last"] else shifted
            activations.append(z)
            statistics.append(used)
        return activations, statistics, hidden

    def denoising(self, clean, corrupted):
        signal, total = torch.softmax(corrupted[2], 1), 0
        for layer in reversed(range(len(WIDTHS))):
            u, _ = normalise(signal)
            a = self.parameters[f"decoder.{layer}.combinator"]
            part = lambda i: a[i] * torch.sigmoid(a[i + 1] * u + a[i + 2]) + a[i + 3] * u + a[i + 4]
            mu, v = part(0), part(5)
            guess = (corrupted[0][layer] - mu) * v + mu
            scaled = guess
            if clean[1][layer] is not None:
                mean, variance = clean[1][layer]
                scaled = (guess - mean) / torch.sqrt(variance + EPSILON)
            total = total + self.settings["denoising"][layer] * ((clean[0][layer] - scaled) ** 2).mean()
            if layer > 0:
                signal = guess @ self.parameters[f"decoder.{layer - 1}.weight"]
        return total


def information_maximisation(logits, mu):
    entropy = lambda p: -(p * torch.log(p)).sum(-1)
    p = torch.softmax(logits, 1)
    return entropy(p).mean() - mu * entropy(p.mean(0))


def divergence(anchor, other):
    p = torch.softmax(anchor.detach(), 1)
    return (p * (torch.log_softmax(anchor.detach(), 1) - torch.log_softmax(other, 1))).sum(1).mean()


def unit(rows):
    return rows / rows.norm(dim=1, keepdim=True)


def adversarial(network, samples, logits, distances, spread):
    settings = network.settings
    start = samples + settings["probe"] * spread * unit(noise(DIRECTIONS, *samples.shape, 0))
    start.requires_grad_()
    answer = network.forward(start, frozen=True)[2]
    (gradient,) = torch.autograd.grad(divergence(logits, answer), start)
    return samples + settings["radius"] * distances * unit(gradient)


def loss(network, data, batch, labelled, labels):
    settings = network.settings
    samples = data[batch]
    clean = network.forward(samples)
    total = settings["im_weight"] * information_maximisation(clean[2], settings["im_mu"])
    if settings["denoising"] or settings["consistency"] == "noise-kl":
        corrupted = network.forward(samples, corrupted=0)
        total = total + settings["im_weight"] * information_maximisation(corrupted[2], settings["im_mu"])
    if settings["consistency"] == "noise-kl":
        total = total + settings["consistency_weight"] * divergence(clean[2], corrupted[2])
    if settings["consistency"] == "adversarial":
        apart = torch.cdist(data, data).sort(1).values  # the nearest is the sample itself
        distances = apart[batch][:, NEIGHBOUR : NEIGHBOUR + 1]
        spread = torch.sqrt(data.var(0, unbiased=False).sum())
        moved = adversarial(network, samples, clean[2], distances, spread)
        total = total + settings["consistency_weight"] * divergence(clean[2], network.forward(moved)[2])
    seen = network.forward(data[labelled], corrupted=1)
    total = total + settings["label_weight"] * torch.nn.functional.cross_entropy(seen[2], labels)
    if settings["denoising"]:
        total = total + network.denoising(clean, corrupted)
    return total


def start(rng, settings):
    """Parameters away from where training starts, where many slopes are 0; numbers that 32-bit floats hold."""
    single = lambda *shape: rng.standard_normal(shape).astype("float32")
    parameters = {}
    last = len(WIDTHS) - 2
    for layer, (width, out) in enumerate(zip(WIDTHS, WIDTHS[1:])):
        parameters[f"encoder.{layer}.weight"] = single(width, out)
        parameters[f"encoder.{layer}.shift"] = single(out) * np.float32(0.5)
        if layer == last and settings["normalise_last"]:
            parameters[f"encoder.{layer}.scale"] = 1 + single(out) * np.float32(0.25)
    if settings["denoising"]:
        for layer, (width, out) in enumerate(zip(WIDTHS, WIDTHS[1:])):
            parameters[f"decoder.{layer}.weight"] = single(out, width)
        for layer, width in enumerate(WIDTHS):
            combinator = single(10, width) * np.float32(0.25)
            combinator[[1, 6]] += 1
            parameters[f"decoder.{layer}.combinator"] = combinator
    return parameters


def case(rng, name, **changed):
    settings = {
        "consistency": "none", "denoising": [], "normalise_last": False, "noise_std": 0.3, "im_weight": 0.7, "im_mu": 4.0,
        "consistency_weight": 2.0, "label_weight": 1.5, "radius": 0.5, "probe": 0.5, **changed,
    }  # fmt: skip
    data = rng.standard_normal((N, WIDTHS[0])).astype("float32")
    batch, labelled = rng.permutation(N)[:BATCH], rng.permutation(N)[:LABELLED]
    labels = np.arange(LABELLED) % WIDTHS[-1]
    values = start(rng, settings)
    parameters = {key: torch.tensor(value.astype("float64"), requires_grad=True) for key, value in values.items()}
    network = Network(settings, parameters)
    total = loss(network, torch.tensor(data.astype("float64")), batch, labelled, torch.tensor(labels))
    optimiser = torch.optim.Adam(parameters.values(), lr=RATE, betas=(0.9, 0.999), eps=1e-8)
    total.backward()
    gradients = {key: value.grad.clone() for key, value in parameters.items()}
    optimiser.step()
    flat = lambda array: [float(value) for value in np.asarray(array).ravel()]
    written = {
        key: {"value": flat(values[key]), "gradient": flat(gradients[key]), "learnt": flat(parameters[key].detach())}
        for key in values
    }
    return {
        "name": name, "settings": settings, "data": flat(data), "batch": batch.tolist(), "labelled": labelled.tolist(),
        "labels": labels.tolist(), "loss": float(total.detach()), "parameters": written,
    }  # fmt: skip


def main():
    rng = np.random.default_rng(1955)
    cases = [
        case(rng, "ladder", denoising=[10.0, 1.0, 0.1]),
        case(rng, "ladder with noise held to the clean answer", denoising=[10.0, 1.0, 0.1], consistency="noise-kl", normalise_last=True),
        case(rng, "adversarial", consistency="adversarial"),
        case(rng, "adversarial, last layer normalised", consistency="adversarial", normalise_last=True),
    ]  # fmt: skip
    setup = {
        "versions": {"torch": torch.__version__.split("+")[0], "numpy": np.__version__}, "widths": WIDTHS, "step": STEP, "rate": RATE,
        "noise": NOISE, "directions": DIRECTIONS,
    }  # fmt: skip
    lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
    text = json.dumps(setup, separators=(",", ":"))[:-1] + f',"cases":[\n{lines}\n]}}\n'
    Path(__file__).with_suffix(".json").write_text(text)


if __name__ == "__main__":
    main()

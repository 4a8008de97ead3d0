"""Training: a soft cross-entropy at each place of tissue."""

from __future__ import annotations

import time

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from focus_training.crops import Examples
from focus_training.network import FocusNetwork

__all__ = ["logits_of", "train"]

_BATCH = 32
_RATE = 5e-3


def train(examples: Examples, *, steps: int, seed: int, say: bool = True) -> FocusNetwork:
    """Train a network; the same for the same seed, examples, steps, threads and build of torch.

    Parameters
    ----------
    examples
        All slides are drawn from equally often.
    steps
        Batches of 32.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    network = FocusNetwork()
    weights = _weights(examples)
    optimiser = torch.optim.AdamW(network.parameters(), lr=_RATE, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, _RATE, total_steps=max(steps, 2), pct_start=0.15)
    began, losses = time.perf_counter(), []
    for step in range(steps):
        chosen = rng.choice(len(weights), _BATCH, p=weights)
        logits = network(torch.from_numpy(examples.features[chosen].astype(np.float32)))[:, 0]
        labels = torch.from_numpy(examples.labels[chosen])[:, None, None].expand_as(logits)
        where = torch.from_numpy(examples.tissue[chosen].astype(np.float32))
        loss = (nn.functional.binary_cross_entropy_with_logits(logits, labels, reduction="none") * where).sum()
        loss = loss / where.sum().clamp(min=1)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        losses.append(float(loss.detach()))
        if say and (step + 1) % 250 == 0:
            print(
                f"step {step + 1}: loss {np.mean(losses[-250:]):.4f}, {time.perf_counter() - began:.0f} s", flush=True
            )
    return network.eval()


def _weights(examples: Examples) -> npt.NDArray[np.float64]:
    _, place, count = np.unique(examples.slides, return_inverse=True, return_counts=True)
    weights = 1.0 / count[place]
    return weights / weights.sum()


def logits_of(network: FocusNetwork, examples: Examples) -> npt.NDArray[np.float32]:
    """What a network says of examples, (n, 6, 6)."""
    with torch.no_grad():
        parts = [
            network(torch.from_numpy(examples.features[first : first + 64].astype(np.float32)))[:, 0].numpy()
            for first in range(0, len(examples.features), 64)
        ]
    return np.concatenate(parts)

"""The network: plain convolutions without padding, so that what it says of a place does not depend on the window."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from slidekit.slide.qc.focus_network import FEATURES

__all__ = ["LAYERS", "FocusNetwork", "Layer", "folded"]


@dataclass(frozen=True)
class Layer:
    """A convolution: channels in and out, edge of the kernel, stride, dilation."""

    inputs: int
    outputs: int
    kernel: int
    stride: int = 1
    dilation: int = 1


LAYERS = (
    Layer(FEATURES, 16, 1),
    Layer(16, 24, 3, stride=2),
    Layer(24, 32, 3, stride=2),
    Layer(32, 32, 3),
    Layer(32, 1, 1),
)
"""Stride 4; each output sees 15 × 15 blocks of 4 × 4 pixels."""


class FocusNetwork(nn.Module):
    """Features of `edge_features`, (n, 11, rows, columns), to logits of "blurred", (n, 1, rows', columns')."""

    def __init__(self) -> None:
        super().__init__()
        parts: list[nn.Module] = []
        for layer in LAYERS[:-1]:
            parts += [
                nn.Conv2d(layer.inputs, layer.outputs, layer.kernel, layer.stride, dilation=layer.dilation, bias=False),
                nn.BatchNorm2d(layer.outputs),
                nn.ReLU(),
            ]
        last = LAYERS[-1]
        parts.append(nn.Conv2d(last.inputs, last.outputs, last.kernel))
        self.parts = nn.Sequential(*parts)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Logits."""
        return self.parts(features)


def folded(network: FocusNetwork) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Weights and biases of plain convolutions that do the same: batch norms taken in."""
    network.eval()
    parts = list(network.parts)
    made = []
    with torch.no_grad():
        for place, part in enumerate(parts):
            if not isinstance(part, nn.Conv2d):
                continue
            weight = part.weight.double()
            bias = part.bias.double() if part.bias is not None else torch.zeros(len(weight), dtype=torch.float64)
            norm = parts[place + 1] if place + 1 < len(parts) else None
            if isinstance(norm, nn.BatchNorm2d):
                scale = norm.weight.double() / torch.sqrt(norm.running_var.double() + norm.eps)
                weight = weight * scale[:, None, None, None]
                bias = (bias - norm.running_mean.double()) * scale + norm.bias.double()
            made.append((weight.float(), bias.float()))
    return made

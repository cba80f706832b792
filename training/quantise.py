"""Float32 weights → int8 ones that say nearly the same.

A few inner channels are ten times as large as the rest, and one scale for a whole tensor spends its steps on them. So
the inputs of the matrix products are first evened out (SmoothQuant, Xiao et al. 2023), and the word embeddings get
one scale a word. The plain way, without both, is half as faithful: see README.md for the figures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from training.features import Batch
from training.readers import tensors

Array = npt.NDArray[Any]

SMALLEST = 1e-4
# 8 bits overflow on processors without VNNI, which add two products in 16 bits.
_WEIGHT_STEPS = 64
_WORD_STEPS = 127


@dataclass(frozen=True, slots=True)
class Linear:
    """Linear layers of the same input, side by side: `values · inverse` times `weight · scale`, plus `bias`.

    `weight` is int8 `[in, out]`, `scale` float32 `[out]`, `bias` float32 `[out]`, `inverse` float32 `[in]`.
    """

    weight: Array
    scale: Array
    bias: Array
    inverse: Array


def linear(parts: Sequence[tuple[Array, Array]], largest: Array, strength: float) -> Linear:
    """Return int8 layers from weights `[out, in]` with their biases; `largest` are the inputs' greatest sizes `[in]`.

    `strength` says how much of the unevenness moves from the inputs (1.0: all of it) into the weights (0.0: none).
    Layers that read the same values, as query, key and value do, share a scale, so that they are scaled once.
    """
    weight = np.concatenate([one for one, _ in parts]).T
    evening = largest**strength / np.abs(weight).max(axis=1).clip(min=SMALLEST) ** (1 - strength)
    evened = weight * evening[:, None]
    scale = np.abs(evened).max(axis=0) / _WEIGHT_STEPS
    steps = np.round(evened / scale).astype(np.int8)
    bias = np.concatenate([bias for _, bias in parts])
    return Linear(steps, scale.astype(np.float32), bias, (1 / evening).astype(np.float32))


def narrowed(words: Array) -> tuple[Array, Array]:
    """Return each row of the word embeddings as int8 steps with its own scale, float32 `[words, 1]`."""
    scale = np.maximum(np.abs(words).max(axis=1, keepdims=True) / _WORD_STEPS, 1e-12).astype(np.float32)
    return np.round(words / scale).astype(np.int8), scale


def largest_inputs(model: nn.Module, batches: Sequence[Batch]) -> Mapping[str, Array]:
    """Return the greatest absolute input of every linear layer, channel by channel, by the layer's name."""
    largest: dict[str, torch.Tensor] = {}

    def watch(name: str, inputs: tuple[torch.Tensor, ...]) -> None:
        seen = inputs[0].detach().abs().flatten(0, -2).amax(0).clamp(min=SMALLEST)
        largest[name] = torch.maximum(largest[name], seen) if name in largest else seen

    hooks = [
        module.register_forward_pre_hook(lambda _, inputs, name=name: watch(name, inputs))
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear)
    ]
    with torch.no_grad():
        for batch in batches:
            model(**tensors(model, batch))
    for hook in hooks:
        hook.remove()
    return {name: value.numpy() for name, value in largest.items()}

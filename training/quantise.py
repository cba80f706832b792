"""A float32 reader → an int8 one that says nearly the same.

A few inner channels are ten times as large as the rest, and one scale for a whole tensor spends its steps on them. So
the inputs of the matrix products are first evened out (SmoothQuant, Xiao et al. 2023), and the word embeddings get
one scale a word. The plain way, without both, is half as faithful: see README.md for the figures.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import cast

import numpy as np
import onnx
import torch
from onnx import helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.quantization.shape_inference import quant_pre_process
from torch import nn

from training.features import Batch

SMALLEST = 1e-4


class Smoothed(nn.Module):
    """A linear layer that computes the same from evened inputs: input ÷ scale, weight × scale."""

    inverse: torch.Tensor

    def __init__(self, linear: nn.Linear, scale: torch.Tensor) -> None:
        super().__init__()
        self.linear = linear
        self.register_buffer("inverse", 1 / scale)
        with torch.no_grad():
            linear.weight.mul_(scale)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return cast(torch.Tensor, self.linear(values * self.inverse))


def smooth(model: nn.Module, batches: Sequence[Batch], strength: float) -> None:
    """Even out the inputs of all linear layers of a BERT reader but the span head, in place.

    `strength` says how much of the unevenness moves from the inputs (1.0: all of it) into the weights (0.0: none).
    Layers that read the same values, as query, key and value do, share a scale, so that they are scaled once.
    """
    largest = _largest_inputs(model, batches)
    for layer in (module for module in model.modules() if hasattr(module, "intermediate")):
        attention = layer.get_submodule("attention")
        for parents in (
            [(attention.get_submodule("self"), name) for name in ("query", "key", "value")],
            [(attention.get_submodule("output"), "dense")],
            [(layer.get_submodule("intermediate"), "dense")],
            [(layer.get_submodule("output"), "dense")],
        ):
            linears = [getattr(parent, name) for parent, name in parents]
            weights = torch.stack([linear.weight.detach().abs().amax(0) for linear in linears]).amax(0)
            scale = largest[linears[0]] ** strength / weights.clamp(min=SMALLEST) ** (1 - strength)
            for (parent, name), linear in zip(parents, linears, strict=True):
                setattr(parent, name, Smoothed(linear, scale))


def _largest_inputs(model: nn.Module, batches: Sequence[Batch]) -> dict[nn.Module, torch.Tensor]:
    """Return the greatest absolute input of every linear layer, channel by channel."""
    largest: dict[nn.Module, torch.Tensor] = {}

    def watch(module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        seen = inputs[0].detach().abs().flatten(0, -2).amax(0).clamp(min=SMALLEST)
        largest[module] = torch.maximum(largest[module], seen) if module in largest else seen

    hooks = [m.register_forward_pre_hook(watch) for m in model.modules() if isinstance(m, nn.Linear)]
    with torch.no_grad():
        for batch in batches:
            model(torch.from_numpy(batch.ids), torch.from_numpy(batch.types), torch.from_numpy(batch.mask))
    for hook in hooks:
        hook.remove()
    return largest


def quantise(source: Path, target: Path, folder: Path) -> None:
    """Write the int8 graph; `folder` takes what is needed on the way.

    Weights are signed, one scale a column, and 7 bits wide, because 8 overflow on processors without VNNI. The span
    head, a thousandth of the work, stays float. Embeddings get one scale a word.
    """
    ready = folder / "ready.onnx"
    quant_pre_process(str(source), str(ready), skip_symbolic_shape=True)
    model = onnx.load(str(ready))
    _narrow_words(model.graph)
    onnx.save(model, str(ready))
    quantize_dynamic(
        str(ready),
        str(target),
        op_types_to_quantize=["MatMul"],
        per_channel=True,
        reduce_range=True,
        weight_type=QuantType.QInt8,
        nodes_to_exclude=_head_nodes(model.graph),
    )


def _matrices(graph: onnx.GraphProto) -> dict[str, onnx.TensorProto]:
    return {tensor.name: tensor for tensor in graph.initializer if len(tensor.dims) == 2}


def _narrow_words(graph: onnx.GraphProto) -> None:
    """Store each row of the word embeddings as int8 steps with its own scale."""
    tables = _matrices(graph)
    lookups = [node for node in graph.node if node.op_type == "Gather" and node.input[0] in tables]
    lookup = max(lookups, key=lambda node: tables[node.input[0]].dims[0])
    table = tables[lookup.input[0]]
    values = numpy_helper.to_array(table)
    scale = np.maximum(np.abs(values).max(axis=1, keepdims=True) / 127, 1e-12).astype(np.float32)
    graph.initializer.remove(table)
    graph.initializer.append(numpy_helper.from_array(np.round(values / scale).astype(np.int8), "words"))
    graph.initializer.append(numpy_helper.from_array(scale, "word_scales"))
    at, ids = list(graph.node).index(lookup), lookup.input[1]
    graph.node.remove(lookup)
    nodes = [
        helper.make_node("Gather", ["words", ids], ["word_steps"]),
        helper.make_node("Cast", ["word_steps"], ["word_steps_float"], to=onnx.TensorProto.FLOAT),
        helper.make_node("Gather", ["word_scales", ids], ["word_scale"]),
        helper.make_node("Mul", ["word_steps_float", "word_scale"], [lookup.output[0]]),
    ]
    for place, node in enumerate(nodes):
        graph.node.insert(at + place, node)


def _head_nodes(graph: onnx.GraphProto) -> list[str]:
    """Return the names of the matrix products whose weight is the span head (two columns)."""
    narrow = {name for name, tensor in _matrices(graph).items() if tensor.dims[1] == 2}
    return [node.name for node in graph.node if node.op_type in {"MatMul", "Gemm"} and narrow & set(node.input)]

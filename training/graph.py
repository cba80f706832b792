"""An int8 reader as the exporter leaves it → the same reader with less work around its matrix products.

The exporter writes a mask for every attention, a guard against rows without a token, and reshapes by computed sizes;
and ONNX Runtime fuses its additions and norms into a kernel that is five times as slow as the two apart. That was
a third of the reader's time (docs/performance.md). Here the graph is written down once more, from the same weights, for
windows that are read one at a time and hold no padding: there is no mask.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

Array = npt.NDArray[np.generic]

INPUTS = ("input_ids", "token_type_ids")
OUTPUTS = ("start_logits", "end_logits")
_BERT = "model.bert."
_OPSET = 20
_IR_VERSION = 10
# BERT's; too small to matter in float32, and kept so that the numbers are those that were trained.
_EPSILON = 1e-12


@dataclass(frozen=True, slots=True)
class _Linear:
    """One or more linear layers of the same input, side by side: int8 `[in, out]`, a scale and a bias a column."""

    weight: Array
    scale: Array
    bias: Array


class _Source:
    """The weights of an exported int8 graph, by the names that torch gave them."""

    def __init__(self, model: onnx.ModelProto) -> None:
        tensors: dict[str, Array] = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
        self._tensors = tensors
        self._makers = {name: node for node in model.graph.node for name in node.output}
        adders = (node for node in model.graph.node if node.op_type == "Add")
        self._adders = {name: node for node in adders for name in node.input if name.endswith("bias")}

    def __getitem__(self, name: str) -> Array:
        return self._tensors[name]

    def layers(self) -> int:
        """Return how many layers the encoder has."""
        prefix = f"{_BERT}encoder.layer."
        return 1 + max(int(name[len(prefix) :].split(".")[0]) for name in self._tensors if name.startswith(prefix))

    def linear(self, *names: str) -> _Linear:
        """Return linear layers side by side; each is found by its bias, which is added to its product."""
        parts = [self._one(f"{name}.linear.bias") for name in names]
        return _Linear(
            np.concatenate([part.weight for part in parts], axis=1),
            np.concatenate([part.scale for part in parts]),
            np.concatenate([part.bias for part in parts]),
        )

    def _one(self, bias: str) -> _Linear:
        (scaled,) = (name for name in self._adders[bias].input if name != bias)
        (cast,) = (name for name in self._makers[scaled].input if self._makers[name].op_type == "Cast")
        product = self._makers[self._makers[cast].input[0]]
        if product.op_type != "MatMulInteger" or self._tensors[product.input[3]].any():
            raise ValueError(f"{bias} is not added to an int8 product with weights around zero")
        name = product.input[1]
        weight, scale = self._tensors[name], self._tensors[name.removesuffix("_quantized") + "_scale"]
        # One scale for all columns is written as one a column.
        return _Linear(weight, np.broadcast_to(scale.reshape(-1), weight.shape[1]), self._tensors[bias])

    def head(self) -> tuple[Array, Array]:
        """Return the span head: float32 `[width, 2]` and its bias."""
        bias = "model.qa_outputs.bias"
        (made,) = (name for name in self._adders[bias].input if name != bias)
        return self._tensors[self._makers[made].input[1]], self._tensors[bias]


class _Drawing:
    """A graph that is being written: nodes in the order of their use, and the tensors that they need."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.tensors: dict[str, onnx.TensorProto] = {}

    def constant(self, name: str, value: Array) -> str:
        self.tensors[name] = numpy_helper.from_array(np.ascontiguousarray(value), name)
        return name

    def add(self, op: str, *inputs: str, **attributes: Any) -> str:
        return self.several(op, 1, *inputs, **attributes)[0]

    def several(self, op: str, count: int, *inputs: str, **attributes: Any) -> list[str]:
        outputs = [f"{op.lower()}_{len(self.nodes)}_{n}" for n in range(count)]
        self.nodes.append(helper.make_node(op, inputs, outputs, **attributes))
        return outputs

    def rename(self, last: str, name: str) -> None:
        """Call the output of the last node `name`."""
        assert list(self.nodes[-1].output) == [last]
        self.nodes[-1].output[0] = name


def lean(model: onnx.ModelProto, *, heads: int) -> onnx.ModelProto:
    """Return the reader with the same weights, of ids and types alone: int64 `[batch, sequence]`, nothing padded.

    Its logits differ from those of `model` by the order of additions; a step of a dynamic scale may turn on it.

    :raises ValueError: if a linear layer of `model` is not int8, evened out and symmetric.
    """
    source, draw = _Source(model), _Drawing()
    values = _embedded(source, draw)
    for number in range(source.layers()):
        name = f"{_BERT}encoder.layer.{number}"
        mixed = _linear(source, draw, _attention(source, draw, values, name, heads), f"{name}.attention.output.dense")
        values = _norm(source, draw, draw.add("Add", mixed, values), f"{name}.attention.output.LayerNorm")
        wide = draw.add("Gelu", _linear(source, draw, values, f"{name}.intermediate.dense"), approximate="none")
        narrow = _linear(source, draw, wide, f"{name}.output.dense")
        values = _norm(source, draw, draw.add("Add", narrow, values), f"{name}.output.LayerNorm")
    _logits(source, draw, values)
    graph = helper.make_graph(
        draw.nodes, "reader",
        [helper.make_tensor_value_info(name, onnx.TensorProto.INT64, ["batch", "sequence"]) for name in INPUTS],
        [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["batch", "sequence"]) for name in OUTPUTS],
        list(draw.tensors.values()),
    )  # fmt: skip
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR_VERSION)
    onnx.checker.check_model(made)
    return made


def _embedded(source: _Source, draw: _Drawing) -> str:
    ids, types = INPUTS
    steps = draw.add("Gather", draw.constant("words", source["words"]), ids)
    scales = draw.add("Gather", draw.constant("word_scales", source["word_scales"]), ids)
    words = draw.add("Mul", draw.add("Cast", steps, to=onnx.TensorProto.FLOAT), scales)
    positions, kinds = (
        draw.constant(name, source[f"{_BERT}embeddings.{name}_embeddings.weight"])
        for name in ("position", "token_type")
    )
    length = draw.add("Shape", ids, start=1, end=2)
    places = draw.add("Slice", positions, draw.constant("start", np.zeros(1, dtype=np.int64)), length)
    sides = draw.add("Gather", kinds, types)
    return _norm(source, draw, draw.add("Add", draw.add("Add", words, sides), places), f"{_BERT}embeddings.LayerNorm")


def _attention(source: _Source, draw: _Drawing, values: str, name: str, heads: int) -> str:
    """Draw softmax(q·k) · v, head by head. By single operators: the fused ones block by the size of the cache."""
    names = [f"{name}.attention.self.{part}" for part in ("query", "key", "value")]
    width = source[f"{names[0]}.linear.bias"].shape[0]
    parts = draw.several(
        "Split", 3, _linear(source, draw, values, *names), draw.constant("thirds", np.full(3, width)), axis=-1
    )
    apart = draw.constant("apart", np.array([0, 0, heads, width // heads]))
    query, key, value = (
        draw.add("Transpose", draw.add("Reshape", part, apart), perm=perm)
        for part, perm in zip(parts, ([0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3]), strict=True)
    )
    root = draw.constant("root", np.array((width // heads) ** -0.25, dtype=np.float32))
    products = draw.add("MatMul", draw.add("Mul", query, root), draw.add("Mul", key, root))
    mixed = draw.add("MatMul", draw.add("Softmax", products, axis=-1), value)
    together = draw.constant("together", np.array([0, 0, width]))
    return draw.add("Reshape", draw.add("Transpose", mixed, perm=[0, 2, 1, 3]), together)


def _linear(source: _Source, draw: _Drawing, values: str, *names: str) -> str:
    """Draw linear layers side by side: their input evened out, in steps of one scale; the product of whole numbers."""
    layers, name = source.linear(*names), names[0]
    evened = draw.add("Mul", values, draw.constant(f"{name}.inverse", source[f"{name}.inverse"]))
    steps, scale, zero = draw.several("DynamicQuantizeLinear", 3, evened)
    product = draw.add("MatMulInteger", steps, draw.constant(f"{name}.weight", layers.weight), zero)
    scales = draw.add("Mul", scale, draw.constant(f"{name}.scale", layers.scale))
    scaled = draw.add("Mul", draw.add("Cast", product, to=onnx.TensorProto.FLOAT), scales)
    return draw.add("Add", scaled, draw.constant(f"{name}.bias", layers.bias))


def _norm(source: _Source, draw: _Drawing, values: str, name: str) -> str:
    weight, bias = (draw.constant(f"{name}.{part}", source[f"{name}.{part}"]) for part in ("weight", "bias"))
    return draw.add("LayerNormalization", values, weight, bias, axis=-1, epsilon=_EPSILON)


def _logits(source: _Source, draw: _Drawing, values: str) -> None:
    weight, bias = source.head()
    product = draw.add("MatMul", values, draw.constant("head", weight))
    both = draw.add("Add", product, draw.constant("head.bias", bias))
    last = draw.constant("last", np.array([2]))
    for name, half in zip(OUTPUTS, draw.several("Split", 2, both, axis=-1, num_outputs=2), strict=True):
        draw.rename(draw.add("Squeeze", half, last), name)

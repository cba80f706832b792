"""How near the reader comes to what its operations must cost: `python -m benchmarks.reader_time --library DIR`.

Questions of SQuAD are read beside the best two passages that a library has for each, one at a time, by one thread.
Between any two readings the peak of this machine is measured, as ONNX Runtime reaches it with one thread: a large
product of whole numbers, and one of float32. What a window must cost is counted from the graph: two operations for each
weight of its int8 products and each token, at the first peak; two products of each attention, at the second. All else
(norms, softmax, scales, text to tokens, logits to spans) counts as nothing. Time is that of the process on a core,
so that what else the machine does matters less; the share is cost ÷ time, of medians.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer

from api.bench import machine
from api.settings import Settings
from api.wiring import open_embedder
from benchmarks.data import squad_open
from index.store import LocalStore
from index.types import Filter, Passage
from qa.read import MODEL_FOLDER, SpanReader
from qa.retrieve import retrieve

_ROWS, _INNER, _COLUMNS = 512, 1536, 1536
_LONGEST = 384
_GROUPS = ((0, 110), (110, 160), (160, 400))


@dataclass(frozen=True, slots=True)
class Work:
    """Operations of one window: `per_token` in whole numbers, and `per_pair` of tokens in float32."""

    per_token: int
    per_pair: int

    @classmethod
    def of(cls, path: Path) -> Work:
        """Count the operations of a reader from its graph."""
        graph = onnx.load(str(path)).graph
        sizes = {tensor.name: list(tensor.dims) for tensor in graph.initializer}
        whole = [sizes[node.input[1]] for node in graph.node if node.op_type == "MatMulInteger"]
        # A layer has two attention products of its width: query by key, and what comes of it by value.
        width = whole[0][0]
        layers = sum(node.op_type == "Softmax" for node in graph.node)
        return cls(sum(2 * rows * columns for rows, columns in whole), layers * 2 * 2 * width)

    def seconds(self, tokens: int, whole_peak: float, float_peak: float) -> float:
        """Return what a window of `tokens` costs at these peaks, in operations a second."""
        return self.per_token * tokens / whole_peak + self.per_pair * tokens**2 / float_peak


def peak(kind: type[np.generic], other: type[np.generic], operator: str) -> Callable[[], float]:
    """Return a function that measures the operations a second of one large product, once."""
    chance = np.random.default_rng(0)
    weight = chance.integers(-60, 60, (_INNER, _COLUMNS)).astype(other)
    types = [helper.np_dtype_to_tensor_dtype(np.dtype(kind)), TensorProto.INT32 if operator != "MatMul" else 1]
    graph = helper.make_graph(
        [helper.make_node(operator, ["a", "b"], ["c"])], "peak",
        [helper.make_tensor_value_info("a", types[0], [_ROWS, _INNER])],
        [helper.make_tensor_value_info("c", types[1], [_ROWS, _COLUMNS])],
        [numpy_helper.from_array(weight, "b")],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    values = chance.integers(0, 100, (_ROWS, _INNER)).astype(kind)

    def once() -> float:
        started = time.process_time()
        session.run(None, {"a": values})
        return 2 * _ROWS * _INNER * _COLUMNS / (time.process_time() - started)

    return once


def windows(library: Path, count: int) -> list[tuple[str, Passage]]:
    """Return questions with a passage each: the best two that a library of SQuAD's paragraphs has for each of them."""
    embedder = open_embedder(Settings(library=library))
    store = LocalStore(library, embedder)
    try:
        asked = random.Random(2).sample([one.text for one in squad_open().questions], count // 2)
        found = [(text, retrieve(store.current(), text, Filter())[:2]) for text in asked]
        return [(text, one.hit.passage) for text, best in found for one in best]
    finally:
        store.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--library", type=Path, required=True, help="as `benchmarks.tokens` and `synthetic` make them")
    parser.add_argument("--windows", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--save", type=Path, help="where to write the figures as JSON")
    given = parser.parse_args()
    reader, work = SpanReader(threads=1), Work.of(MODEL_FOLDER / "reader.onnx")
    whole, single = peak(np.uint8, np.int8, "MatMulInteger"), peak(np.float32, np.float32, "MatMul")
    drawn = windows(given.library, given.windows)
    tokenizer = Tokenizer.from_file(str(MODEL_FOLDER / "tokenizer.json"))
    lengths = [min(_LONGEST, len(tokenizer.encode(question, passage.text).ids)) for question, passage in drawn]
    taken: dict[int, list[float]] = {}
    peaks: tuple[list[float], list[float]] = ([], [])
    for _ in range(given.rounds + 1):
        for number, (question, passage) in enumerate(drawn):
            started = time.process_time()
            reader.read(question, [passage])
            taken.setdefault(number, []).append(time.process_time() - started)
            for found, measure in zip(peaks, (whole, single), strict=True):
                found.append(measure())
    top = [statistics.median(found) for found in peaks]
    figures: dict[str, Any] = {
        **machine(),
        "int8 peak, 10^9 operations a second": round(top[0] / 1e9, 1),
        "float32 peak, 10^9 operations a second": round(top[1] / 1e9, 1),
        "operations a token, 10^6": round(work.per_token / 1e6, 1),
    }
    for low, high in (*_GROUPS, (0, 400)):
        inside = [n for n, length in enumerate(lengths) if low <= length < high]
        if inside:
            time_taken = sum(statistics.median(taken[n][1:]) for n in inside)  # the first round warms up
            cost = sum(work.seconds(lengths[n], *top) for n in inside)
            figures[f"windows of {low} to {high} tokens"] = {
                "windows": len(inside),
                "tokens": round(statistics.mean(lengths[n] for n in inside)),
                "ms a window": round(1000 * time_taken / len(inside), 1),
                "ms at the peak": round(1000 * cost / len(inside), 1),
                "share": round(cost / time_taken, 2),
            }
    print(json.dumps(figures, indent=1))
    if given.save is not None:
        given.save.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

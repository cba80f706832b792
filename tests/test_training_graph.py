"""The graph that a reader is drawn as: in float32 what torch computes, in int8 nearly that."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from transformers import (
    BertConfig,
    BertForQuestionAnswering,
    DistilBertConfig,
    DistilBertForQuestionAnswering,
    MPNetConfig,
    MPNetForQuestionAnswering,
)

from training.features import Batch
from training.graph import Evening, Source, draw
from training.quantise import largest_inputs, linear, narrowed
from training.readers import OnnxReader, TorchReader

SMALL: dict[str, Any] = {
    "vocab_size": 300,
    "hidden_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 96,
}


def model(kind: str) -> torch.nn.Module:
    torch.manual_seed(3)
    if kind == "bert":
        made: torch.nn.Module = BertForQuestionAnswering(BertConfig(**SMALL, max_position_embeddings=512))
    else:
        made = MPNetForQuestionAnswering(MPNetConfig(**SMALL, max_position_embeddings=514, layer_norm_eps=1e-5))
    with torch.no_grad():
        for weight in made.parameters():
            # As untrained ones are they say next to nothing, and what is left out would not be seen.
            weight.add_(torch.randn_like(weight) * 0.1)
    made.train(False)
    return made


def window(length: int, seed: int) -> Batch:
    ids = np.random.default_rng(seed).integers(5, 300, size=(1, length))
    types = (np.arange(length) > length // 4).astype(np.int64)[None]
    return Batch(ids, types, np.ones_like(ids), length)


@pytest.mark.parametrize("kind", ["bert", "mpnet"])
def test_in_float32_it_says_what_torch_says(kind: str, tmp_path: Path) -> None:
    reader = model(kind)
    onnx.save(draw(Source.of(reader)), str(tmp_path / "float.onnx"))
    drawn = OnnxReader(tmp_path / "float.onnx", threads=1)
    # Beyond 128 tokens MPNet tells distances apart no more, and 384 are the most that is read.
    for length in (4, 37, 150, 384):
        for ours, theirs in zip(
            drawn.logits(window(length, length)), TorchReader(reader).logits(window(length, length)), strict=True
        ):
            assert np.abs(ours - theirs).max() < 1e-4


@pytest.mark.parametrize("kind", ["bert", "mpnet"])
def test_in_int8_it_says_nearly_what_torch_says_and_is_smaller(kind: str, tmp_path: Path) -> None:
    reader = model(kind)
    largest = largest_inputs(reader, [window(60, seed) for seed in range(8)])
    whole, small = draw(Source.of(reader)), draw(Source.of(reader), Evening(largest, 0.75))
    assert small.ByteSize() < 0.6 * whole.ByteSize()
    onnx.save(small, str(tmp_path / "int8.onnx"))
    ours = OnnxReader(tmp_path / "int8.onnx", threads=1).logits(window(80, 99))[0][0]
    theirs = TorchReader(reader).logits(window(80, 99))[0][0]
    assert np.corrcoef(ours, theirs)[0, 1] > 0.99


def test_only_a_reader_with_types_takes_them() -> None:
    for kind, inputs in (("bert", ["input_ids", "token_type_ids"]), ("mpnet", ["input_ids"])):
        assert [one.name for one in draw(Source.of(model(kind))).graph.input] == inputs


def test_another_architecture_is_refused() -> None:
    other = DistilBertForQuestionAnswering(DistilBertConfig(vocab_size=50, dim=8, n_layers=1, n_heads=2, hidden_dim=8))
    with pytest.raises(ValueError, match="only readers like BERT or MPNet"):
        draw(Source({name: value.numpy() for name, value in other.state_dict().items()}, 2))


@pytest.mark.parametrize("strength", [0.0, 0.5, 1.0])
def test_evening_out_moves_what_is_uneven_and_changes_no_product(strength: float) -> None:
    draws = np.random.default_rng(1)
    weight, bias = draws.normal(size=(6, 4)).astype(np.float32), draws.normal(size=6).astype(np.float32)
    values = draws.normal(size=(20, 4)).astype(np.float32) * np.array([1, 1, 30, 1], dtype=np.float32)
    made = linear([(weight[:3], bias[:3]), (weight[3:], bias[3:])], np.abs(values).max(axis=0), strength)
    assert made.weight.dtype == np.int8
    assert np.abs(made.weight).max() == 64
    again = (values * made.inverse) @ (made.weight * made.scale) + made.bias
    wanted = values @ weight.T + bias
    assert np.abs(again - wanted).max() < 0.03 * np.abs(wanted).max()


def test_every_word_has_a_scale_of_its_own() -> None:
    words = np.array([[1e-3, -1e-3], [50.0, 25.0], [0.0, 0.0]], dtype=np.float32)
    steps, scale = narrowed(words)
    assert steps.dtype == np.int8
    assert np.allclose(steps * scale, words, rtol=0.01)

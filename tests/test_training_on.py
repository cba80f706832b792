"""What a reader is trained on from: the shipped file, and a larger reader's opinion."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from safetensors.torch import load_file
from transformers import BertConfig, BertForQuestionAnswering, MPNetForQuestionAnswering

from qa.read import MODEL_FOLDER, SECOND_FOLDER
from training.examples import Example
from training.features import Window, Windower, collate, load_tokenizer
from training.mean import mean
from training.readers import OnnxReader, TorchReader
from training.reopen import main as reopen
from training.teacher import Teacher, disagreement, likelihoods
from training.train_reader import Plan, Trainer, batches, targets

PASSAGE = "The council opened the library on 6 May 2022; the mayor, Ana Sørensen, cut the ribbon."
QUESTION = "When was the library opened?"
ANSWER = (PASSAGE.index("6 May"), PASSAGE.index(";"))


@pytest.fixture(scope="module")
def windower() -> Windower:
    return Windower(load_tokenizer(MODEL_FOLDER / "tokenizer.json"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped reader as a model folder."""
    out = tmp_path_factory.mktemp("reopened")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["reopen", "--out", str(out)])
        reopen()
    return out


def test_the_shipped_reader_comes_back_as_a_model_that_says_the_same(folder: Path, windower: Windower) -> None:
    model = BertForQuestionAnswering.from_pretrained(str(folder))
    model.train(False)
    (window,) = windower.windows(QUESTION, PASSAGE)
    batch = collate([window])
    shipped = OnnxReader(MODEL_FOLDER / "reader.onnx", threads=1).logits(batch)
    for ours, theirs in zip(TorchReader(model).logits(batch), shipped, strict=True):
        # What is left is the rounding of the values between two layers, which only the int8 graph does.
        assert np.abs(ours - theirs).max() < 1.0
        assert ours[0].argmax() == theirs[0].argmax()


def test_the_reader_that_looks_again_comes_back_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["reopen", "--reader", str(SECOND_FOLDER), "--out", str(tmp_path)])
    reopen()
    model = MPNetForQuestionAnswering.from_pretrained(str(tmp_path))
    model.train(False)
    (window,) = Windower(load_tokenizer(tmp_path / "tokenizer.json")).windows(QUESTION, PASSAGE)
    shipped = OnnxReader(SECOND_FOLDER / "reader.onnx", threads=1).logits(collate([window]))
    for ours, theirs in zip(TorchReader(model).logits(collate([window])), shipped, strict=True):
        assert np.abs(ours - theirs).max() < 1.0
        assert ours[0].argmax() == theirs[0].argmax()


def test_every_weight_of_the_shipped_reader_comes_back(folder: Path) -> None:
    graph = onnx.load(str(MODEL_FOLDER / "reader.onnx")).graph
    held = {one.name: numpy_helper.to_array(one) for one in graph.initializer}
    weights = load_file(folder / "model.safetensors")
    name = "encoder.layer.5.intermediate.dense"
    evened = weights[f"bert.{name}.weight"].numpy().T
    steps = evened / held[f"model.bert.{name}.inverse"][:, None] / held[f"model.bert.{name}.scale"]
    assert np.allclose(steps, held[f"model.bert.{name}.weight"], atol=1e-3)
    norm = "bert.encoder.layer.5.output.LayerNorm.weight"
    assert np.array_equal(weights[norm].numpy(), held[f"model.{norm}"])


def test_a_folder_that_was_reopened_can_teach_and_be_read(folder: Path, windower: Windower) -> None:
    teacher = Teacher(folder, 288)
    (target,) = targets(Example(QUESTION, PASSAGE, ANSWER), windower, teacher)
    assert target.teachers == target.window
    start, _ = teacher.logits([target.window])
    assert int(start[0].argmax()) == target.first


def test_windows_whose_tokens_differ_have_no_teacher(folder: Path, windower: Windower) -> None:
    teacher = Teacher(folder, 288)
    (window,) = windower.windows(QUESTION, PASSAGE)
    assert teacher.window(QUESTION, f"{PASSAGE} It rained.", window) is None


def some(*sizes: int, first: int = 4) -> list[Window]:
    """Windows whose passages have so many tokens, behind `first` others and before one."""
    return [Window((1,) * (first + size + 1), first, tuple((k, k + 1) for k in range(size))) for size in sizes]


def test_only_no_answer_and_the_passage_have_a_likelihood() -> None:
    windows = some(2, 3)
    logits = torch.zeros(2, 8)
    logits[:, 1:4] = 50.0  # the question
    logits[0, 6:] = 50.0  # the last mark, and padding
    found = likelihoods(logits, windows).exp()
    assert torch.allclose(found[0], torch.tensor([1 / 3, 1 / 3, 1 / 3, 0.0]), atol=1e-6)
    assert torch.allclose(found[1], torch.full((4,), 0.25), atol=1e-6)


def test_a_pupil_who_agrees_has_nothing_to_learn_and_one_who_does_not_comes_nearer() -> None:
    windows, theirs = some(3, 2), some(3, 2, first=5)
    teacher = torch.randn(2, 9, generator=torch.Generator().manual_seed(1))
    agreeing = torch.zeros(2, 8)
    agreeing[:, 0], agreeing[:, 4:7] = teacher[:, 0], teacher[:, 5:8]
    assert float(disagreement(agreeing, windows, teacher, theirs)) == pytest.approx(0.0, abs=1e-6)
    pupil = torch.zeros(2, 8, requires_grad=True)
    far = disagreement(pupil, windows, teacher, theirs)
    (slope,) = torch.autograd.grad(far, pupil)
    nearer = disagreement(pupil.detach() - 0.1 * slope, windows, teacher, theirs)
    assert 0.0 < float(nearer) < float(far.detach())


def steps(folder: Path, out: Path, windower: Windower, *, teacher: Teacher | None, bfloat16: bool) -> Sequence[float]:
    """The losses of a small model that is shown one question thirty times."""
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=30522, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
        hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
    )  # fmt: skip
    trainer = Trainer(
        BertForQuestionAnswering(config).train(), Plan(windows=30, bfloat16=bfloat16), out, teacher=teacher
    )
    (group,) = batches([Example(QUESTION, PASSAGE, ANSWER)], windower, 512, random.Random(0), teacher)
    return [trainer.step(group, 1e-2) for _ in range(30)]


@pytest.mark.parametrize("bfloat16", [False, True])
@pytest.mark.parametrize("taught", [False, True])
def test_a_small_model_learns(folder: Path, tmp_path: Path, windower: Windower, taught: bool, bfloat16: bool) -> None:
    losses = steps(folder, tmp_path, windower, teacher=Teacher(folder, 288) if taught else None, bfloat16=bfloat16)
    assert losses[-1] < losses[0] / 2


def test_the_mean_of_models_is_that_of_each_weight() -> None:
    found = mean(
        [
            {"a": torch.tensor([1.0, 2.0]), "b": torch.tensor([0.0])},
            {"a": torch.tensor([3.0, 6.0]), "b": torch.tensor([1.0])},
        ]
    )
    assert {name: weight.tolist() for name, weight in found.items()} == {"a": [2.0, 4.0], "b": [0.5]}


@pytest.mark.parametrize("other", [{"a": torch.zeros(3)}, {"b": torch.zeros(2)}, {}])
def test_models_of_different_shapes_have_no_mean(other: dict[str, torch.Tensor]) -> None:
    with pytest.raises(ValueError, match="they have no mean"):
        mean([{"a": torch.zeros(2)}, other])

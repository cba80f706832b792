"""qa/transformer_reader.py, with a model of a few thousand weights made here."""

from __future__ import annotations

from pathlib import Path

import pytest
from transformers import BertConfig, BertForQuestionAnswering, BertModel, BertTokenizer

from index.errors import ModelError
from qa.transformer_reader import TransformerReader
from tests.world import passage

TEXT = "The ban was announced on January 6. Exports stopped soon afterwards."
WORDS = "[PAD] [UNK] [CLS] [SEP] [MASK] the ban was announced on january 6 exports stopped soon afterwards when . ?"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that points from "january" to "6", whatever is asked, where these words stand in the passage."""
    import torch

    made = tmp_path_factory.mktemp("reader")
    tokenizer = BertTokenizer(vocab={word: number for number, word in enumerate(WORDS.split())})
    torch.manual_seed(0)
    size = len(WORDS.split())
    config = BertConfig(
        vocab_size=size, hidden_size=32, num_hidden_layers=0, num_attention_heads=2, intermediate_size=8,
        max_position_embeddings=64,
    )  # fmt: skip
    model = BertForQuestionAnswering(config)
    with torch.no_grad():
        words = model.bert.embeddings.word_embeddings.weight
        words.copy_(torch.eye(size, 32) * 10)
        model.bert.embeddings.position_embeddings.weight.zero_()
        model.bert.embeddings.token_type_embeddings.weight.zero_()
        model.qa_outputs.weight.zero_()
        model.qa_outputs.weight[0, WORDS.split().index("january")] = 1.0
        model.qa_outputs.weight[1, WORDS.split().index("6")] = 1.0
    model.save_pretrained(made)
    tokenizer.save_pretrained(made)
    return made


def test_reads_with_a_model_of_the_users_own(folder: Path) -> None:
    best, *_ = TransformerReader(str(folder)).read("When was the ban announced?", [passage(TEXT)])
    assert best.text == "January 6"
    assert best.quote == "The ban was announced on January 6."
    assert best.score > 5.0


def test_the_score_of_a_passage_without_the_words_is_even(folder: Path) -> None:
    best, *_ = TransformerReader(str(folder)).read("When?", [passage("Exports stopped soon afterwards.")])
    assert best.score == pytest.approx(0.0, abs=1.0)


def test_a_long_question_leaves_room_for_the_passage(folder: Path) -> None:
    found = TransformerReader(str(folder)).read("when was the ban " * 100, [passage(TEXT)])
    assert found[0].text == "January 6"


def test_the_fingerprint_names_the_weights(folder: Path, tmp_path: Path) -> None:
    import torch

    model = BertForQuestionAnswering.from_pretrained(folder)
    with torch.no_grad():
        model.qa_outputs.bias.add_(1.0)
    model.save_pretrained(tmp_path)
    BertTokenizer.from_pretrained(folder).save_pretrained(tmp_path)
    one, again = TransformerReader(str(folder)), TransformerReader(str(folder))
    assert one.fingerprint == again.fingerprint
    assert TransformerReader(str(tmp_path)).fingerprint.split(":")[-1] != one.fingerprint.split(":")[-1]


def test_a_model_without_a_head_for_it_is_refused(folder: Path, tmp_path: Path) -> None:
    BertModel.from_pretrained(folder).save_pretrained(tmp_path)
    BertTokenizer.from_pretrained(folder).save_pretrained(tmp_path)
    with pytest.raises(ModelError, match=r"no question-answering model.*qa_outputs"):
        TransformerReader(str(tmp_path))


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be loaded"):
        TransformerReader(str(tmp_path))


def test_pickled_weights_are_never_read(folder: Path, tmp_path: Path) -> None:
    import torch

    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    torch.save(BertForQuestionAnswering.from_pretrained(folder).state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises(ModelError, match="safetensors"):
        TransformerReader(str(tmp_path))

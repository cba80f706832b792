"""Any question-answering model of the Hugging Face format as a reader: for those who have a better one than ours."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np

from index.errors import ModelError
from index.types import Passage
from qa.read import best_first, candidates, own_tokens, title_above
from qa.types import Candidate

_LONGEST = 512
_LONGEST_QUESTION = 80


class TransformerReader:
    """Reads with a model for extractive question answering, by folder or cached name, in float32 by torch.

    Nothing is downloaded and nothing is unpickled: the weights have to be safetensors. The model must have been trained
    to point at its first special token where a passage does not answer, as with SQuAD 2.0. It needs a calibration of
    its own: `citespan calibrate`.

    :raises ModelError: if it is not there, not of that kind, or its tokenizer cannot tell where tokens stand.
    """

    def __init__(self, name: str) -> None:
        os.environ["HF_HUB_OFFLINE"] = "1"
        os.environ["TOKENIZERS_PARALLELISM"] = "false"
        from safetensors import SafetensorError
        from transformers import AutoModelForQuestionAnswering, AutoTokenizer
        from transformers.utils import logging

        logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        try:
            self._tokenizer: Any = AutoTokenizer.from_pretrained(name, local_files_only=True)
            self._model, loaded = AutoModelForQuestionAnswering.from_pretrained(
                name, local_files_only=True, use_safetensors=True, output_loading_info=True
            )
        except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
            raise ModelError(
                f"reader {name!r} cannot be loaded ({error}); name a folder with a question-answering model in "
                "safetensors, or none for the reader that ships with Citespan"
            ) from error
        if loaded["missing_keys"]:
            missing = ", ".join(sorted(loaded["missing_keys"])[:3])
            raise ModelError(f"reader {name!r} is no question-answering model: it has no weights for {missing}")
        if not self._tokenizer.is_fast:
            raise ModelError(f"reader {name!r} has a tokenizer that cannot tell where its tokens stand in the text")
        self._model.eval().requires_grad_(False)
        limit = getattr(self._model.config, "max_position_embeddings", _LONGEST)
        # Some models count two positions of their own (RoBERTa).
        self._longest = min(_LONGEST, int(limit) - 2 if limit > 2 else _LONGEST, self._tokenizer.model_max_length)
        self._fingerprint = f"{name}:{_digest(self._model)}"
        self._one_at_a_time = threading.Lock()

    @property
    def fingerprint(self) -> str:
        return self._fingerprint

    def read(self, query: str, passages: Sequence[Passage]) -> list[Candidate]:
        found: list[Candidate] = []
        with self._one_at_a_time:
            question = self._shortened(query)
            for passage in passages:
                found.extend(self._candidates(question, passage))
        return best_first(found)

    def _shortened(self, query: str) -> str:
        # A question may take half of the window at most, so that something of the passage is read in any case.
        limit = min(_LONGEST_QUESTION, self._longest // 2)
        places = self._tokenizer(query, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
        return query[: places[limit - 1][1]] if len(places) > limit else query

    def _candidates(self, question: str, passage: Passage) -> list[Candidate]:
        title = title_above(passage)
        inputs = self._tokenizer(
            question, f"{title}{passage.text}", truncation="only_second", max_length=self._longest,
            return_offsets_mapping=True, return_tensors="pt",
        )  # fmt: skip
        places = [(int(start), int(end)) for start, end in inputs.pop("offset_mapping")[0]]
        first, tokens = own_tokens(places, inputs.sequence_ids(0), len(title))
        if not tokens:
            return []
        output = self._model(**inputs)
        start, end = (row[0].float().numpy().astype(np.float32) for row in (output.start_logits, output.end_logits))
        ids = inputs["input_ids"][0].tolist()
        null = ids.index(self._tokenizer.cls_token_id) if self._tokenizer.cls_token_id in ids else 0
        start[0], end[0] = start[null], end[null]
        return candidates(passage, tokens, start, end, first)


def _digest(model: Any) -> str:
    """Return a hash of all weights, so that a calibration belongs to one state of a model."""
    digest = hashlib.sha256()
    for name, weight in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(weight.contiguous().float().numpy().tobytes())
    return digest.hexdigest()[:16]

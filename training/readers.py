"""A reader for evaluation: token arrays → logits, by ONNX Runtime or by torch."""

import inspect
import re
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from training.features import Batch, Floats

if TYPE_CHECKING:
    import torch


_LAYER = re.compile(r"(?:^|\.)encoder\.layer\.(\d+)\.")


class Reader(Protocol):
    """Anything that gives (start logits, end logits), float32 `[batch, sequence]` each."""

    def logits(self, batch: Batch) -> tuple[Floats, Floats]: ...


class OnnxReader:
    """An exported reader on the CPU."""

    def __init__(self, path: Path, threads: int) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self._inputs = {one.name for one in self._session.get_inputs()}

    def logits(self, batch: Batch) -> tuple[Floats, Floats]:
        """Return the logits, each window read by itself; those of padding are 0.0."""
        found = np.zeros((2, *batch.ids.shape), dtype=np.float32)
        for row, length in enumerate(batch.mask.sum(axis=1)):
            window = {"input_ids": batch.ids[[row], :length], "token_type_ids": batch.types[[row], :length]}
            given = {name: values for name, values in window.items() if name in self._inputs}
            found[:, [row], :length] = self._session.run(["start_logits", "end_logits"], given)
        return found[0], found[1]


def layer_of(weight: str) -> int | None:
    """Return which layer of the encoder a weight of that name is of, counted from 0; None if of none."""
    found = _LAYER.search(weight)
    return None if found is None else int(found[1])


def tensors(model: "torch.nn.Module", batch: Batch) -> dict[str, "torch.Tensor"]:
    """Return the batch as the arguments of `model`; not every one is told which tokens are the question's."""
    import torch

    given = {"input_ids": batch.ids, "attention_mask": batch.mask}
    if "token_type_ids" in inspect.signature(model.forward).parameters:
        given["token_type_ids"] = batch.types
    return {name: torch.from_numpy(values) for name, values in given.items()}


class TorchReader:
    """A torch question-answering model as it stands; the caller decides its mode and threads."""

    def __init__(self, model: "torch.nn.Module") -> None:
        self._model = model

    def logits(self, batch: Batch) -> tuple[Floats, Floats]:
        import torch

        with torch.inference_mode():
            out = self._model(**tensors(self._model, batch))
        return out.start_logits.float().numpy(), out.end_logits.float().numpy()


def load_torch(folder: Path, threads: int) -> TorchReader:
    """Return a Hugging Face question-answering folder as a reader that computes in float32."""
    import torch
    from transformers import AutoModelForQuestionAnswering

    torch.set_num_threads(threads)
    return TorchReader(AutoModelForQuestionAnswering.from_pretrained(str(folder), dtype=torch.float32).eval())


def open_reader(path: Path, threads: int) -> Reader:
    """Return a reader for an .onnx file or for a model folder.

    :raises ValueError: if the path is neither.
    """
    if path.suffix == ".onnx":
        return OnnxReader(path, threads)
    if (path / "config.json").is_file():
        return load_torch(path, threads)
    raise ValueError(f"{path} is neither an .onnx file nor a model folder with a config.json")

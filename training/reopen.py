"""The shipped reader → a model folder with float32 weights, to train on from.

    python -m training.reopen --out /tmp/reader
    python -m training.train_reader --resume /tmp/reader --out /tmp/reader-next --windows 40000

So what ships is all that is needed to go on: its weights come back as they are used, in 7 bits a column.
"""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import torch
from onnx import numpy_helper
from transformers import BertConfig, BertForQuestionAnswering, PreTrainedTokenizerFast

from qa.read import MODEL_FOLDER
from training.features import load_tokenizer
from training.readers import layer_of

_BERT = "model.bert."
_PARTS = ("query", "key", "value")


def opened(tensors: Mapping[str, npt.NDArray[Any]]) -> dict[str, torch.Tensor]:
    """Return the weights of a graph that `training.graph.lean` drew, by the names that torch gives them."""
    embeddings = "bert.embeddings"
    found = {
        f"{embeddings}.word_embeddings.weight": tensors["words"].astype(np.float32) * tensors["word_scales"],
        f"{embeddings}.position_embeddings.weight": tensors["position"],
        f"{embeddings}.token_type_embeddings.weight": tensors["token_type"],
        "qa_outputs.weight": tensors["head"].T,
        "qa_outputs.bias": tensors["head.bias"],
    }
    for name in tensors:
        place, kind = name.removeprefix("model.").rsplit(".", 1) if "." in name else (name, "")
        if "LayerNorm" in place:
            found[f"{place}.{kind}"] = tensors[name]
        elif kind == "inverse":
            weight, bias = _linear(tensors, name.rsplit(".", 1)[0])
            if place.endswith(".query"):
                width = weight.shape[1]
                for number, part in enumerate(_PARTS):
                    rows = slice(number * width, (number + 1) * width)
                    one = f"{place.removesuffix('query')}{part}"
                    found |= {f"{one}.weight": weight[rows], f"{one}.bias": bias[rows]}
            else:
                found |= {f"{place}.weight": weight, f"{place}.bias": bias}
    return {name: torch.from_numpy(np.array(value, dtype=np.float32)) for name, value in found.items()}


def _linear(tensors: Mapping[str, npt.NDArray[Any]], name: str) -> tuple[npt.NDArray[np.float32], npt.NDArray[Any]]:
    """Return weight `[out, in]` and bias of linear layers side by side; what evens their input out goes into it."""
    steps = tensors[f"{name}.weight"].astype(np.float32)
    weight = tensors[f"{name}.inverse"][:, None] * steps * tensors[f"{name}.scale"]
    return weight.T, tensors[f"{name}.bias"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reader", type=Path, default=MODEL_FOLDER, help="folder with reader.onnx and tokenizer.json")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    graph = onnx.load(str(args.reader / "reader.onnx")).graph
    tensors = {one.name: numpy_helper.to_array(one) for one in graph.initializer}
    weights = opened(tensors)
    words, width = weights["bert.embeddings.word_embeddings.weight"].shape
    layers = {layer_of(name) for name in weights} - {None}
    config = BertConfig(
        vocab_size=words,
        hidden_size=width,
        num_hidden_layers=len(layers),
        num_attention_heads=int(tensors["apart"][2]),
        intermediate_size=weights["bert.encoder.layer.0.intermediate.dense.bias"].shape[0],
        max_position_embeddings=weights["bert.embeddings.position_embeddings.weight"].shape[0],
    )
    model = BertForQuestionAnswering(config)
    model.load_state_dict(weights)
    model.save_pretrained(str(args.out))
    tokenizer = load_tokenizer(args.reader / "tokenizer.json")
    marks = {
        "unk_token": "[UNK]",
        "cls_token": "[CLS]",
        "sep_token": "[SEP]",
        "pad_token": "[PAD]",
        "mask_token": "[MASK]",
    }
    made: Any = PreTrainedTokenizerFast
    made(tokenizer_object=tokenizer, **marks).save_pretrained(str(args.out))
    print(json.dumps({"opened": str(args.reader), "layers": len(layers), "width": width, "out": str(args.out)}))


if __name__ == "__main__":
    main()

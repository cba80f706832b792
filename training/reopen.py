"""A shipped reader → a model folder with float32 weights, to train on from.

    python -m training.reopen --out /tmp/reader
    python -m training.reopen --reader qa/model/second --out /tmp/second
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
from transformers import (
    BertConfig,
    BertForQuestionAnswering,
    MPNetConfig,
    MPNetForQuestionAnswering,
    PreTrainedTokenizerFast,
)

from qa.read import MODEL_FOLDER
from training.features import load_tokenizer
from training.graph import BERT, MPNET, Kind, buckets
from training.readers import layer_of

# How many kinds of distance MPNet tells apart.
_BUCKETS = 32
_MPNET_MARKS = ("<s>", "</s>", "<pad>", "<mask>")
_CLASSES: Mapping[Kind, tuple[Any, Any]] = {
    BERT: (BertConfig, BertForQuestionAnswering),
    MPNET: (MPNetConfig, MPNetForQuestionAnswering),
}


def opened(tensors: Mapping[str, npt.NDArray[Any]], kind: Kind) -> dict[str, torch.Tensor]:
    """Return the weights of a graph that `training.graph.draw` made in int8, by the names that torch gives them."""
    embeddings = f"{kind.root}.embeddings"
    found = {
        f"{embeddings}.word_embeddings.weight": tensors["words"].astype(np.float32) * tensors["word_scales"],
        f"{embeddings}.position_embeddings.weight": tensors["position"],
        "qa_outputs.weight": tensors["head"].T,
        "qa_outputs.bias": tensors["head.bias"],
    }
    if kind.has_types:
        found[f"{embeddings}.token_type_embeddings.weight"] = tensors["token_type"]
    else:
        found[f"{kind.root}.encoder.relative_attention_bias.weight"] = _by_bucket(tensors["nearness"])
    parts = (kind.query, kind.key, kind.value)
    for name in tensors:
        place, what = name.removeprefix("model.").rsplit(".", 1) if "." in name else (name, "")
        if "LayerNorm" in place:
            found[f"{place}.{what}"] = tensors[name]
        elif what == "inverse":
            weight, bias = _linear(tensors, name.rsplit(".", 1)[0])
            if place.endswith(kind.query):
                width = weight.shape[1]
                for number, part in enumerate(parts):
                    rows = slice(number * width, (number + 1) * width)
                    one = f"{place.removesuffix(kind.query)}{part}"
                    found |= {f"{one}.weight": weight[rows], f"{one}.bias": bias[rows]}
            else:
                found |= {f"{place}.weight": weight, f"{place}.bias": bias}
    return {name: torch.from_numpy(np.array(value, dtype=np.float32)) for name, value in found.items()}


def _by_bucket(nearness: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Return `[buckets, heads]` from what was drawn for each distance."""
    of_each = buckets(nearness.shape[1] // 2, _BUCKETS)
    found = np.zeros((_BUCKETS, nearness.shape[0]), dtype=np.float32)
    found[of_each] = nearness.T
    return found


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
    kind = MPNET if "nearness" in tensors else BERT
    weights = opened(tensors, kind)
    words, width = weights[f"{kind.root}.embeddings.word_embeddings.weight"].shape
    layers = {layer_of(name) for name in weights} - {None}
    make_config, make_model = _CLASSES[kind]
    config = make_config(
        vocab_size=words,
        hidden_size=width,
        num_hidden_layers=len(layers),
        num_attention_heads=int(tensors["apart"][2]),
        intermediate_size=weights[f"{kind.layer(0)}.intermediate.dense.bias"].shape[0],
        max_position_embeddings=weights[f"{kind.root}.embeddings.position_embeddings.weight"].shape[0],
        layer_norm_eps=kind.epsilon,
    )
    model = make_model(config)
    model.load_state_dict(weights)
    model.save_pretrained(str(args.out))
    tokenizer = load_tokenizer(args.reader / "tokenizer.json")
    begin, end, padding, mask = ("[CLS]", "[SEP]", "[PAD]", "[MASK]") if kind is BERT else _MPNET_MARKS
    marks = {"unk_token": "[UNK]", "cls_token": begin, "sep_token": end, "pad_token": padding, "mask_token": mask}
    made: Any = PreTrainedTokenizerFast
    made(tokenizer_object=tokenizer, **marks).save_pretrained(str(args.out))
    print(json.dumps({"opened": str(args.reader), "layers": len(layers), "width": width, "out": str(args.out)}))


if __name__ == "__main__":
    main()

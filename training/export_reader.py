"""Export a Hugging Face question-answering model as a small int8 ONNX reader.

    python -m training.export_reader --model ../shared/models/reader-v0 --date 2026-11-22

Writes reader.onnx, tokenizer.json and reader.json. Stops with an error if the exported float32 graph differs from
torch.
"""

import argparse
import hashlib
import json
import shutil
import tempfile
from pathlib import Path

import numpy as np
import onnx
import torch
from tokenizers import Tokenizer
from transformers import AutoModelForQuestionAnswering

from training import graph
from training.examples import load_rows
from training.features import MAX_LENGTH, Batch, Windower, collate, load_tokenizer
from training.quantise import quantise, smooth
from training.readers import OnnxReader
from training.stream import validation

FORMAT_VERSION = 1
INPUTS = ("input_ids", "token_type_ids", "attention_mask")
OUTPUTS = ("start_logits", "end_logits")
TOLERANCE = 1e-4

PASSAGES = (
    "The harbour bridge was closed for repairs.",
    "Work on the new library began in March 2019. It was planned to last two years, but a burst pipe flooded the "
    "cellar in the first winter. The city council opened the building on 6 May 2022; the mayor, Ana Sørensen, cut "
    "the ribbon. It holds 140,000 volumes and has seats for 300 readers.",
    " ".join(f"On day {day} the ferry carried {day * 37} passengers and {day * 5} cars." for day in range(1, 25)),
)
QUESTIONS = ("When was the library opened?", "Why?", "How many passengers did the ferry carry on the last day it ran?")


class Logits(torch.nn.Module):
    """The model as a function of three tensors in the order of `INPUTS`, giving the two of `OUTPUTS`."""

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, input_ids: torch.Tensor, token_type_ids: torch.Tensor, attention_mask: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        out = self.model(input_ids=input_ids, token_type_ids=token_type_ids, attention_mask=attention_mask)
        return out.start_logits, out.end_logits


def probes(tokenizer: Tokenizer) -> list[Batch]:
    """Return real inputs of different batch sizes and lengths: single ones, and one batch with much padding."""
    windower = Windower(tokenizer)
    single = [windower.windows(q, p)[0] for q in QUESTIONS for p in PASSAGES]
    return [collate(single), collate(single[:2]), *(collate([one]) for one in single)]


def ordinary(tokenizer: Tokenizer, data: Path) -> list[Batch]:
    """Return 48 held-out training inputs: what the reader usually sees, to measure the sizes of its inner values."""
    windower = Windower(tokenizer)
    questions = validation(load_rows(data), seed=5)[:48]
    windows = [windower.windows(one.question, one.passage)[0] for one in questions]
    return [collate(windows[at : at + 8]) for at in range(0, len(windows), 8)]


def export_float(model: Logits, path: Path, example: Batch) -> None:
    """Write the float32 graph with free batch and sequence axes.

    `dynamo=True` matters: the older exporter gives wrong values for current transformers without a word.
    """
    axes = {0: torch.export.Dim("batch", min=1, max=4096), 1: torch.export.Dim("sequence", min=4, max=512)}
    program = torch.onnx.export(
        model,
        (torch.from_numpy(example.ids), torch.from_numpy(example.types), torch.from_numpy(example.mask)),
        input_names=list(INPUTS),
        output_names=list(OUTPUTS),
        dynamic_shapes=(axes, axes, axes),
        dynamo=True,
        external_data=False,
    )
    if program is None:
        raise RuntimeError("the exporter returned no program")
    program.save(str(path))


def check_equal(model: Logits, path: Path, batches: list[Batch]) -> float:
    """Return the greatest difference between torch and the float32 graph where nothing is padded.

    :raises RuntimeError: if it is above `TOLERANCE`.
    """
    reader = OnnxReader(path, threads=1)
    worst = 0.0
    for batch in batches:
        with torch.inference_mode():
            expected = model(torch.from_numpy(batch.ids), torch.from_numpy(batch.types), torch.from_numpy(batch.mask))
        for want, got in zip(expected, reader.logits(batch), strict=True):
            worst = max(worst, float(np.abs(want.numpy() - got)[batch.mask == 1].max()))
    if not worst <= TOLERANCE:
        raise RuntimeError(f"exported graph differs from torch by {worst:.2e}, more than {TOLERANCE:.0e}: not exported")
    return worst


def changed(before: Path, after: Path, batches: list[Batch]) -> float:
    """Return the greatest difference between the logits of two readers; the batches are windows by themselves."""
    first, second = (OnnxReader(path, threads=1) for path in (before, after))
    pairs = [pair for batch in batches for pair in zip(first.logits(batch), second.logits(batch), strict=True)]
    return max(float(np.abs(one - other).max()) for one, other in pairs)


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=Path("../shared/models/reader-v0"))
    parser.add_argument("--out", type=Path, default=Path("qa/model"))
    parser.add_argument("--name", default="citespan-reader")
    parser.add_argument("--made-from", help="what the model is (default: the folder's name)")
    parser.add_argument("--date", required=True, help="the date that reader.json states, as YYYY-MM-DD")
    parser.add_argument("--float", type=Path, help="also keep the float32 graph here")
    parser.add_argument("--data", type=Path, default=Path("../shared/data/reader/valid.jsonl.gz"))
    parser.add_argument("--strength", type=float, default=0.75, help="how much to even out the inputs, 0 to 1")
    args = parser.parse_args()

    loaded = AutoModelForQuestionAnswering.from_pretrained(
        str(args.model), dtype=torch.float32, attn_implementation="sdpa"
    )
    model = Logits(loaded).eval()
    tokenizer = load_tokenizer(args.model / "tokenizer.json")
    batches = probes(tokenizer)
    args.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        export_float(model, folder / "float.onnx", batches[0])
        difference = check_equal(model, folder / "float.onnx", batches)
        print(f"float32 graph equals torch: greatest difference {difference:.1e} over {len(batches)} batches")
        if args.float is not None:
            shutil.copyfile(folder / "float.onnx", args.float)
        smooth(model, ordinary(tokenizer, args.data), args.strength)
        export_float(model, folder / "float.onnx", batches[0])
        check_equal(model, folder / "float.onnx", batches)
        quantise(folder / "float.onnx", folder / "int8.onnx", folder)
        lean = graph.lean(onnx.load(folder / "int8.onnx"), heads=loaded.config.num_attention_heads)
        onnx.save(lean, folder / "lean.onnx")
        change = changed(folder / "int8.onnx", folder / "lean.onnx", [one for one in batches if len(one.ids) == 1])
        print(f"written down anew: greatest change of a logit {change:.2f}")
        shutil.copyfile(folder / "lean.onnx", args.out / "reader.onnx")
    tokenizer.save(str(args.out / "tokenizer.json"), pretty=False)
    card = {
        "format": FORMAT_VERSION,
        "name": args.name,
        "made_from": args.made_from if args.made_from is not None else args.model.name,
        "date": args.date,
        "max_length": MAX_LENGTH,
        "inputs": list(graph.INPUTS),
        "outputs": list(OUTPUTS),
        "sha256": {name: sha256(args.out / name) for name in ("reader.onnx", "tokenizer.json")},
        "figures": None,
    }
    (args.out / "reader.json").write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
    print(f"{args.out / 'reader.onnx'}: {(args.out / 'reader.onnx').stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()

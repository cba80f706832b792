"""Write a Hugging Face question-answering model as a small int8 reader for ONNX Runtime.

    python -m training.export_reader --model ../shared/models/reader-v0 --date 2026-11-22

Writes reader.onnx, tokenizer.json and reader.json. Stops with an error if the same graph in float32 differs from torch.
"""

import argparse
import hashlib
import json
import tempfile
from pathlib import Path

import numpy as np
import onnx
import torch
from tokenizers import Tokenizer
from transformers import AutoModelForQuestionAnswering

from training.examples import load_rows
from training.features import MAX_LENGTH, Batch, Windower, collate, load_tokenizer
from training.graph import Evening, Source, draw
from training.quantise import largest_inputs
from training.readers import OnnxReader, TorchReader
from training.stream import validation

FORMAT_VERSION = 1
TOLERANCE = 1e-4

PASSAGES = (
    "The harbour bridge was closed for repairs.",
    "Work on the new library began in March 2019. It was planned to last two years, but a burst pipe flooded the "
    "cellar in the first winter. The city council opened the building on 6 May 2022; the mayor, Ana Sørensen, cut "
    "the ribbon. It holds 140,000 volumes and has seats for 300 readers.",
    " ".join(f"On day {day} the ferry carried {day * 37} passengers and {day * 5} cars." for day in range(1, 25)),
)
QUESTIONS = ("When was the library opened?", "Why?", "How many passengers did the ferry carry on the last day it ran?")


def probes(tokenizer: Tokenizer) -> list[Batch]:
    """Return real inputs of different lengths, each by itself."""
    windower = Windower(tokenizer)
    return [collate(windower.windows(q, p)[:1]) for q in QUESTIONS for p in PASSAGES]


def ordinary(tokenizer: Tokenizer, data: Path) -> list[Batch]:
    """Return 48 held-out training inputs: what the reader usually sees, to measure the sizes of its inner values."""
    windower = Windower(tokenizer)
    questions = validation(load_rows(data), seed=5)[:48]
    windows = [windower.windows(one.question, one.passage)[0] for one in questions]
    return [collate(windows[at : at + 8]) for at in range(0, len(windows), 8)]


def difference(model: torch.nn.Module, graph: Path, batches: list[Batch]) -> float:
    """Return the greatest difference between the logits of torch and of a graph."""
    pairs = ((TorchReader(model).logits(batch), OnnxReader(graph, threads=1).logits(batch)) for batch in batches)
    return max(float(np.abs(ours - theirs).max()) for pair in pairs for ours, theirs in zip(*pair, strict=True))


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

    model = AutoModelForQuestionAnswering.from_pretrained(str(args.model), dtype=torch.float32).eval()
    tokenizer = load_tokenizer(args.model / "tokenizer.json")
    batches = probes(tokenizer)
    source = Source.of(model)
    with tempfile.TemporaryDirectory() as name:
        plain = args.float if args.float is not None else Path(name) / "float.onnx"
        onnx.save(draw(source), str(plain))
        if not (found := difference(model, plain, batches)) <= TOLERANCE:
            raise SystemExit(f"the graph differs from torch by {found:.2e}, more than {TOLERANCE:.0e}: nothing written")
    print(f"the float32 graph equals torch: greatest difference {found:.1e} in {len(batches)} windows")
    args.out.mkdir(parents=True, exist_ok=True)
    largest = largest_inputs(model, ordinary(tokenizer, args.data))
    made = draw(source, Evening(largest, args.strength))
    onnx.save(made, str(args.out / "reader.onnx"))
    print(f"int8 differs from torch by up to {difference(model, args.out / 'reader.onnx', batches):.2f}")
    tokenizer.save(str(args.out / "tokenizer.json"), pretty=False)
    card = {
        "format": FORMAT_VERSION,
        "name": args.name,
        "made_from": args.made_from if args.made_from is not None else args.model.name,
        "date": args.date,
        "max_length": MAX_LENGTH,
        "inputs": [one.name for one in made.graph.input],
        "outputs": [one.name for one in made.graph.output],
        "sha256": {name: sha256(args.out / name) for name in ("reader.onnx", "tokenizer.json")},
        "figures": None,
    }
    (args.out / "reader.json").write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
    print(f"{args.out / 'reader.onnx'}: {(args.out / 'reader.onnx').stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()

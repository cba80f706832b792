"""Evaluate a reader on SQuAD-style questions whose passage is given.

    python -m training.evaluate_reader qa/model/reader.onnx --out figures.json
    python -m training.evaluate_reader qa/model/reader.onnx --asked
    python -m training.evaluate_reader qa/model/reader.onnx --written

With --asked or --written the questions are those of `asked.jsonl` or `written.jsonl` that no reader was trained on,
each with its whole text.
Prints and saves: EM and F1 of the answerable questions with an answer forced; EM and F1 of all questions at null
threshold 0 and at the best threshold (chosen on the same questions); AUROC of answerable against unanswerable by
best span − null; seconds per 1,000 tokens.
"""

import argparse
import json
import os
import platform
import random
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from tokenizers import Tokenizer

from qa.measure import exact_match, token_f1
from training.asked import FILE as ASKED
from training.asked import labelled, load_asked
from training.examples import load_rows
from training.features import Windower, best_span, by_length, collate, load_tokenizer
from training.readers import Reader, open_reader
from training.squad import Labelled, Scored, figures, load_squad
from training.written import FILE as WRITTEN
from training.written import load_written

PACKAGES = ("numpy", "onnxruntime", "tokenizers", "torch", "transformers")


def score(
    reader: Reader, tokenizer: Tokenizer, questions: Sequence[Labelled], batch_size: int
) -> tuple[list[Scored], float]:
    """Return one `Scored` per question, in order, and the reader's seconds per 1,000 tokens (padding not counted).

    Of several windows of one passage the best span counts, and the lowest null score.
    """
    windower = Windower(tokenizer)
    windows, owner = [], []
    for number, one in enumerate(questions):
        found = windower.windows(one.question, one.passage)
        windows += found
        owner += [number] * len(found)
    best = [(float("-inf"), "")] * len(questions)
    null = [float("inf")] * len(questions)
    seconds, tokens = 0.0, 0
    for group in by_length(windows, batch_size):
        batch = collate([windows[k] for k in group])
        began = time.perf_counter()
        start, end = reader.logits(batch)
        seconds += time.perf_counter() - began
        tokens += batch.tokens
        for row, k in enumerate(group):
            value, (first, last) = best_span(start[row], end[row], windows[k])
            best[owner[k]] = max(best[owner[k]], (value, questions[owner[k]].passage[first:last]), key=lambda x: x[0])
            null[owner[k]] = min(null[owner[k]], float(start[row, 0] + end[row, 0]))
    scored = [
        Scored(bool(q.answers), value - empty, exact_match(text, q.answers), token_f1(text, q.answers))
        for q, (value, text), empty in zip(questions, best, null, strict=True)
    ]
    return scored, 1000 * seconds / max(tokens, 1)


def subset(questions: list[Labelled], count: int | None, seed: int) -> list[Labelled]:
    """Return `count` questions drawn with the seed, in the file's order; all of them if `count` is None."""
    if count is None or count >= len(questions):
        return questions
    return [questions[k] for k in sorted(random.Random(seed).sample(range(len(questions)), count))]


def machine(threads: int) -> dict[str, str | int | None]:
    """Return what a reader of the figures needs to judge the times."""
    return {
        "processor": platform.machine(),
        "cpus": os.cpu_count(),
        "threads": threads,
        "python": platform.python_version(),
        **{name: version(name) for name in PACKAGES},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="an .onnx file or a Hugging Face model folder")
    parser.add_argument("--tokenizer", type=Path, help="tokenizer.json (default: the one beside or in the model)")
    parser.add_argument("--data", type=Path, default=Path("../shared/data/squad2/dev-public.json.gz"))
    other = parser.add_mutually_exclusive_group()
    other.add_argument("--asked", action="store_true", help="questions as people ask them, instead")
    other.add_argument("--written", action="store_true", help="such questions on our own news, reports and manuals")
    parser.add_argument("--texts", type=Path, default=Path("../shared/data/reader/train.jsonl.gz"), help="their texts")
    parser.add_argument("--questions", type=int, help="a seeded subset of this size (default: all)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--out", type=Path, help="write the figures here as JSON")
    parser.add_argument("--record", type=Path, help="put the figures into this reader.json")
    args = parser.parse_args()

    folder = args.model if args.model.is_dir() else args.model.parent
    tokenizer = load_tokenizer(args.tokenizer if args.tokenizer is not None else folder / "tokenizer.json")
    if args.asked:
        questions, source = labelled(load_asked(load_rows(args.texts), held_out=True)), ASKED.name
    elif args.written:
        rows = [row for one in load_written(held_out=True) for row in one.rows]
        questions, source = labelled(rows), WRITTEN.name
    else:
        questions, source = load_squad(args.data), args.data.name
    questions = subset(questions, args.questions, args.seed)
    scored, seconds = score(open_reader(args.model, args.threads), tokenizer, questions, args.batch)
    measured = {**figures(scored), "seconds_per_1000_tokens": round(seconds, 4)}
    report = {
        "model": args.model.name,
        "data": source,
        "seed": args.seed if args.questions is not None else None,
        "batch": args.batch,
        "figures": measured,
        "machine": machine(args.threads),
    }
    print(json.dumps(report, indent=2))
    if args.out is not None:
        args.out.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    if args.record is not None:
        card = json.loads(args.record.read_text(encoding="utf-8"))
        card["figures"] = {"data": report["data"], "seed": report["seed"], **measured}
        args.record.write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

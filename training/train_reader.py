"""Train the reader on from a checkpoint, on a CPU, for a stated time.

    python -m training.train_reader --resume ../shared/models/reader-v0 --out /tmp/reader --minutes 110

Start it again with the same --out and it goes on from the last checkpoint. Writes OUT/log.jsonl (one line every 25
steps and every checkpoint), OUT/pid, and at the end OUT/reader: the last weights or their moving average, whichever
validates better.
"""

import argparse
import json
import logging
import os
import random
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from torch import nn
from transformers import AutoConfig, AutoModelForQuestionAnswering, AutoTokenizer, PreTrainedModel

from training.asked import labelled, load_asked
from training.evaluate_reader import score
from training.examples import WITH_ASKED, Example, Mixture, load_rows
from training.features import Window, Windower, collate, load_tokenizer
from training.readers import TorchReader, layer_of, tensors
from training.squad import Labelled, figures
from training.stream import Stream, validation
from training.synonyms import Synonyms
from training.teacher import Teacher, disagreement
from training.written import load_written

# How much of the loss is how far a pupil is from its teacher; the rest is how far it is from what is right.
TAUGHT = 0.7
log = logging.getLogger("training")


@dataclass(frozen=True, slots=True)
class Plan:
    """The choices of a run; times in seconds since the epoch, so that pauses and restarts do no harm."""

    rate: float = 5e-5
    warm_up: int = 100
    average: float = 0.99
    batch_tokens: int = 1536
    max_length: int = 288
    bfloat16: bool = False
    seed: int = 0
    began: float = 0.0
    ends: float | None = None
    windows: int | None = None

    def progress(self, now: float, windows: int) -> float:
        """Return how much of the budget is spent, 1.0 when it is used up."""
        if self.ends is not None:
            return (now - self.began) / (self.ends - self.began)
        assert self.windows is not None
        return windows / self.windows

    def rate_at(self, step: int, progress: float) -> float:
        """Return the learning rate: a short linear rise, then a linear fall to zero at the end of the budget."""
        return self.rate * min(1.0, (step + 1) / self.warm_up) * max(0.0, 1.0 - progress)


@dataclass(frozen=True, slots=True)
class Position:
    """Where a run stands: the next batch is number `batch` of block `block`."""

    step: int = 0
    windows: int = 0
    block: int = 0
    batch: int = 0


@dataclass(frozen=True, slots=True)
class Target:
    """A window with the positions of the answer's first and last token; both 0, the null option, without one.

    `teachers` is what a teacher reads for it, if there is one who splits it into the same tokens.
    """

    window: Window
    first: int
    last: int
    teachers: Window | None = None


def targets(example: Example, windower: Windower, teacher: Teacher | None = None) -> list[Target]:
    """Return the windows of an example; of a long answered passage only the windows that hold the answer."""
    found = []
    for window in windower.windows(example.question, example.passage):
        theirs = None if teacher is None else teacher.window(example.question, example.passage, window)
        if example.span is None:
            found.append(Target(window, 0, 0, theirs))
            continue
        starts = [k for k, (a, b) in enumerate(window.offsets) if a <= example.span[0] < b]
        ends = [k for k, (a, b) in enumerate(window.offsets) if a < example.span[1] <= b]
        if starts and ends:
            found.append(Target(window, window.first + starts[0], window.first + ends[0], theirs))
    return found


def batches(
    block: Sequence[Example], windower: Windower, limit: int, draw: random.Random, teacher: Teacher | None = None
) -> list[list[Target]]:
    """Return the block as batches of windows of like length, at most `limit` tokens each, in random order."""
    ready = sorted(
        (target for example in block for target in targets(example, windower, teacher)),
        key=lambda target: len(target.window.ids),
    )
    groups: list[list[Target]] = [[]]
    for target in ready:
        if (len(groups[-1]) + 1) * len(target.window.ids) > limit:
            groups.append([])
        groups[-1].append(target)
    draw.shuffle(groups)
    return groups


class Trainer:
    """Holds the weights, their moving average and the optimiser's state, and keeps all three in checkpoints.

    The word embeddings stay as they are: half of the parameters, of which a short run would move only a few. So do the
    first `frozen` layers.
    """

    def __init__(
        self, model: PreTrainedModel, plan: Plan, folder: Path, *, frozen: int = 0, teacher: Teacher | None = None
    ) -> None:
        self.model = model
        self.teacher = teacher
        self.plan = plan
        self.position = Position()
        self._folder = folder
        model.get_input_embeddings().requires_grad_(False)
        for name, weight in model.named_parameters():
            if (layer := layer_of(name)) is not None and layer < frozen:
                weight.requires_grad_(False)
        learned = self._learned()
        self._average = {name: weight.detach().clone() for name, weight in learned.items()}
        plain = [w for n, w in learned.items() if n.endswith("bias") or "LayerNorm" in n]
        decayed = [w for n, w in learned.items() if not (n.endswith("bias") or "LayerNorm" in n)]
        groups = [{"params": decayed, "weight_decay": 0.01}, {"params": plain, "weight_decay": 0.0}]
        self._optimizer = torch.optim.AdamW(groups, lr=plan.rate, fused=True)

    def _learned(self) -> dict[str, nn.Parameter]:
        return {name: weight for name, weight in self.model.named_parameters() if weight.requires_grad}

    def step(self, group: Sequence[Target], rate: float) -> float:
        """Do one step on a batch and return its loss."""
        batch = collate([target.window for target in group])
        # The weights and their changes stay in float32.
        with torch.autocast("cpu", torch.bfloat16, enabled=self.plan.bfloat16):
            out = self.model(**tensors(self.model, batch))
        padding = (torch.from_numpy(batch.mask) == 0) * -1e4
        first = torch.tensor([target.first for target in group])
        last = torch.tensor([target.last for target in group])
        cross = nn.functional.cross_entropy
        starts, ends = out.start_logits.float(), out.end_logits.float()
        loss = (cross(starts + padding, first) + cross(ends + padding, last)) / 2
        if self.teacher is not None and (lesson := self._lesson(self.teacher, group, starts, ends)) is not None:
            loss = (1 - TAUGHT) * loss + TAUGHT * lesson
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for settings in self._optimizer.param_groups:
            settings["lr"] = rate
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        self._follow()
        here = self.position
        self.position = replace(here, step=here.step + 1, windows=here.windows + len(group), batch=here.batch + 1)
        return float(loss.item())

    def _lesson(
        self, teacher: Teacher, group: Sequence[Target], starts: torch.Tensor, ends: torch.Tensor
    ) -> torch.Tensor | None:
        """Return how far a batch's logits are from the teacher's; None if no window of it is the teacher's too."""
        rows = [row for row, target in enumerate(group) if target.teachers is not None]
        if not rows:
            return None
        mine = [group[row].window for row in rows]
        theirs = [window for target in group if (window := target.teachers) is not None]
        first, last = teacher.logits(theirs)
        return (disagreement(starts[rows], mine, first, theirs) + disagreement(ends[rows], mine, last, theirs)) / 2

    def _follow(self) -> None:
        """Move the average towards the weights: quickly at first, then by 1 − `average` a step."""
        keep = min(self.plan.average, (1 + self.position.step) / (10 + self.position.step))
        with torch.no_grad():
            for name, weight in self._learned().items():
                self._average[name].lerp_(weight, 1 - keep)

    def swap(self) -> None:
        """Exchange the weights with their average; a second call puts them back."""
        with torch.no_grad():
            for name, weight in self._learned().items():
                other = self._average[name].clone()
                self._average[name].copy_(weight)
                weight.copy_(other)

    def save(self) -> None:
        """Write a checkpoint beside the last one, then put it in its place in one rename."""
        fresh = self._folder / "checkpoint.new"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir()
        save_file({n: w.detach() for n, w in self._learned().items()}, fresh / "weights.safetensors")
        save_file(self._average, fresh / "average.safetensors")
        state = self._optimizer.state_dict()["state"]
        save_file({f"{k}.{n}": v for k, one in state.items() for n, v in one.items()}, fresh / "optimizer.safetensors")
        about = {"plan": asdict(self.plan), "position": asdict(self.position)}
        (fresh / "run.json").write_text(json.dumps(about), encoding="utf-8")
        old = self._folder / "checkpoint.old"
        shutil.rmtree(old, ignore_errors=True)
        if (self._folder / "checkpoint").exists():
            (self._folder / "checkpoint").rename(old)
        fresh.rename(self._folder / "checkpoint")
        shutil.rmtree(old, ignore_errors=True)

    def load(self) -> None:
        """Take weights, average, optimiser, plan and position from the checkpoint."""
        source = checkpoint(self._folder)
        assert source is not None
        about = json.loads((source / "run.json").read_text(encoding="utf-8"))
        self.plan, self.position = Plan(**about["plan"]), Position(**about["position"])
        weights = load_file(source / "weights.safetensors")
        with torch.no_grad():
            for name, weight in self._learned().items():
                weight.copy_(weights[name])
        self._average = load_file(source / "average.safetensors")
        state: dict[int, dict[str, torch.Tensor]] = {}
        for key, value in load_file(source / "optimizer.safetensors").items():
            number, name = key.split(".", 1)
            state.setdefault(int(number), {})[name] = value
        whole = self._optimizer.state_dict()
        self._optimizer.load_state_dict({"state": state, "param_groups": whole["param_groups"]})


def checkpoint(folder: Path) -> Path | None:
    """Return the last whole checkpoint of a run; the older one if the run ended in the middle of an exchange."""
    for name in ("checkpoint", "checkpoint.old"):
        if (folder / name / "run.json").is_file():
            return folder / name
    return None


def validate(model: nn.Module, tokenizer: Tokenizer, questions: Sequence[Labelled], bfloat16: bool) -> dict[str, float]:
    model.eval()
    with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
        scored, _ = score(TorchReader(model), tokenizer, questions, 32)
    model.train()
    return figures(scored)


def endless(stream: Stream, windower: Windower, trainer: Trainer) -> Iterator[list[Target]]:
    """Yield batches from the trainer's position on, moving it to the next block when one is done."""
    while True:
        plan, here = trainer.plan, trainer.position
        draw = random.Random(f"{plan.seed}:batches:{here.block}")
        block = stream.block(here.block)
        yield from batches(block, windower, plan.batch_tokens, draw, trainer.teacher)[here.batch :]
        trainer.position = replace(trainer.position, block=here.block + 1, batch=0)


class Pace:
    """Chooses one thread or all, whichever read more tokens a second lately.

    On a machine that others use, two threads that wait for each other at every product can be slower than one.
    """

    def __init__(self, threads: int, look_again: int = 25) -> None:
        self._speeds = {count: float("inf") for count in {1, threads}}
        self._look_again = look_again
        self._steps = 0

    def threads(self) -> int:
        """Return the thread count for the next step; every so often a step of another one is tried."""
        self._steps += 1
        if self._steps % self._look_again == 0:
            return min(self._speeds, key=lambda count: self._speeds[count])
        return max(self._speeds, key=lambda count: self._speeds[count])

    def saw(self, threads: int, speed: float) -> None:
        old = self._speeds[threads]
        self._speeds[threads] = speed if old == float("inf") else 0.7 * old + 0.3 * speed


class Log:
    """Appends JSON lines with the time of day, and shows them."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, **values: object) -> None:
        line = json.dumps({"time": f"{datetime.now():%H:%M:%S}", **values})
        log.info(line)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")


def next_time(clock: str, now: datetime) -> datetime:
    """Return the next moment at which the clock shows `HH:MM`."""
    hour, minute = map(int, clock.split(":"))
    then = now.replace(hour=hour, minute=minute, second=0, microsecond=0)
    return then if then > now else then + timedelta(days=1)


def make_plan(args: argparse.Namespace) -> Plan:
    plan = Plan(
        rate=args.rate, batch_tokens=args.batch_tokens, bfloat16=args.bfloat16, seed=args.seed, began=time.time()
    )
    if args.windows is not None:
        return replace(plan, windows=args.windows)
    if args.until is not None:
        return replace(plan, ends=next_time(args.until, datetime.now()).timestamp())
    return replace(plan, ends=plan.began + 60 * args.minutes)


def train(
    trainer: Trainer, groups: Iterator[list[Target]], pace: Pace, record: Log, keep: float, check: Iterator[None]
) -> None:
    """Step until the budget is used up; every `keep` seconds save a checkpoint and call `check`."""
    mean, saved = None, time.time()
    for group in groups:
        progress = trainer.plan.progress(time.time(), trainer.position.windows)
        if progress >= 1:
            return
        rate = trainer.plan.rate_at(trainer.position.step, progress)
        threads, began = pace.threads(), time.perf_counter()
        torch.set_num_threads(threads)
        loss = trainer.step(group, rate)
        pace.saw(threads, sum(len(target.window.ids) for target in group) / (time.perf_counter() - began))
        mean = loss if mean is None else 0.98 * mean + 0.02 * loss
        if trainer.position.step % 25 == 0:
            record.write(
                progress=round(progress, 4), loss=round(mean, 4), rate=rate, threads=threads, **asdict(trainer.position)
            )
        if time.time() - saved > keep:
            trainer.save()
            next(check)
            saved = time.time()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--resume", type=Path, default=Path("../shared/models/reader-v0"), help="model to start from")
    parser.add_argument("--data", type=Path, default=Path("../shared/data/reader"), help="folder with train and valid")
    parser.add_argument("--out", type=Path, required=True, help="folder for checkpoints, log and result")
    budget = parser.add_mutually_exclusive_group(required=True)
    budget.add_argument("--until", help="the clock time HH:MM at which the run ends")
    budget.add_argument("--minutes", type=float)
    budget.add_argument("--windows", type=int)
    parser.add_argument("--rate", type=float, default=5e-5, help="peak learning rate")
    parser.add_argument("--teacher", type=Path, help="folder of a larger reader to learn from, beside the data")
    parser.add_argument("--wordnet", type=Path, help="folder of WordNet's files, for questions in other words")
    parser.add_argument("--asked", action="store_true", help="besides, asked.jsonl and written.jsonl")
    parser.add_argument("--frozen", type=int, default=0, help="layers, from the first on, that stay as they are")
    parser.add_argument("--batch-tokens", type=int, default=Plan().batch_tokens, help="padding included")
    parser.add_argument("--bfloat16", action="store_true", help="products in bfloat16: quicker where the CPU has them")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep-every", type=float, default=10, help="minutes between checkpoints")
    parser.add_argument("--validate-every", type=int, default=3, help="at every n-th checkpoint; 0: only in the end")
    args = parser.parse_args()

    logging.basicConfig(level=logging.INFO, format="%(message)s")
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "pid").write_text(f"{os.getpid()}\n", encoding="utf-8")
    record = Log(args.out / "log.jsonl")
    torch.manual_seed(args.seed)
    torch.set_num_threads(args.threads)

    tokenizer = load_tokenizer(args.resume / "tokenizer.json")
    model = AutoModelForQuestionAnswering.from_pretrained(
        str(args.resume),
        dtype=torch.float32,
        # MPNet adds a bias for the distance of two tokens, which torch's own attention cannot.
        attn_implementation="eager" if AutoConfig.from_pretrained(str(args.resume)).model_type == "mpnet" else "sdpa",
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    ).train()
    teacher = None if args.teacher is None else Teacher(args.teacher, Plan().max_length)
    trainer = Trainer(model, make_plan(args), args.out, frozen=args.frozen, teacher=teacher)
    if checkpoint(args.out) is not None:
        trainer.load()
    rows = load_rows(args.data / "train.jsonl.gz")
    synonyms = None if args.wordnet is None else Synonyms(args.wordnet, dict.fromkeys(row.context for row in rows))
    asked = load_asked(rows) if args.asked else []
    written = load_written() if args.asked else []
    mixture = WITH_ASKED if args.asked else Mixture()
    stream = Stream(rows, mixture, trainer.plan.seed, synonyms, asked, written)
    windower = Windower(tokenizer, trainer.plan.max_length, stride=96)
    held_out = validation(load_rows(args.data / "valid.jsonl.gz"), seed=1)
    if args.asked:
        held_out += labelled(load_asked(rows, held_out=True))
        held_out += labelled([row for one in load_written(held_out=True) for row in one.rows])
    record.write(started=asdict(trainer.plan), **asdict(trainer.position))

    def checks() -> Iterator[None]:
        for number in count(1):
            if args.validate_every and number % args.validate_every == 0:
                trainer.swap()
                record.write(
                    step=trainer.position.step, average=validate(model, tokenizer, held_out, trainer.plan.bfloat16)
                )
                trainer.swap()
            yield

    if trainer.position.step == 0 and args.validate_every:
        record.write(before=validate(model, tokenizer, held_out, trainer.plan.bfloat16))
    train(trainer, endless(stream, windower, trainer), Pace(args.threads), record, 60 * args.keep_every, checks())
    trainer.save()

    last = validate(model, tokenizer, held_out, trainer.plan.bfloat16)
    trainer.swap()
    averaged = validate(model, tokenizer, held_out, trainer.plan.bfloat16)
    if last["best_f1"] > averaged["best_f1"]:
        trainer.swap()
    model.save_pretrained(str(args.out / "reader"))
    AutoTokenizer.from_pretrained(str(args.resume)).save_pretrained(str(args.out / "reader"))
    kept = "last" if last["best_f1"] > averaged["best_f1"] else "average"
    record.write(finished=True, last=last, average=averaged, kept=kept, **asdict(trainer.position))


if __name__ == "__main__":
    main()

"""A larger reader that a smaller one learns from: what it finds likely, not only what is right.

Distillation as Hinton et al. (2015) describe it: beside the right answer the small one is shown how likely each token
is, for the large one, to begin or end it, and how likely it is that there is none.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn
from transformers import AutoModelForQuestionAnswering

from training.features import Window, Windower, collate, load_tokenizer
from training.readers import tensors

TEMPERATURE = 2.0


class Teacher:
    """A model folder, read in bfloat16 and never changed."""

    def __init__(self, folder: Path, max_length: int) -> None:
        self._model = AutoModelForQuestionAnswering.from_pretrained(str(folder), dtype=torch.float32).eval()
        # Its windows have one mark more than the pupil's at most.
        self._windower = Windower(load_tokenizer(folder / "tokenizer.json"), max_length + 1)

    def window(self, question: str, passage: str, like: Window) -> Window | None:
        """Return its window for what the pupil sees as `like`; None if their tokens are not the same."""
        windows = self._windower.windows(question, passage)
        return windows[0] if len(windows) == 1 and windows[0].offsets == like.offsets else None

    def logits(self, windows: Sequence[Window]) -> tuple[torch.Tensor, torch.Tensor]:
        """Return its start and end logits: float32 `[windows, sequence]`."""
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            out = self._model(**tensors(self._model, collate(windows)))
        return out.start_logits.float().clone(), out.end_logits.float().clone()


def likelihoods(logits: torch.Tensor, windows: Sequence[Window]) -> torch.Tensor:
    """Return the logs of how likely no answer, and each token of the passage, is: `[windows, 1 + longest passage]`."""
    longest = max(len(window.offsets) for window in windows)
    steps = torch.arange(longest)
    firsts, sizes = (
        torch.tensor(each)[:, None] for each in zip(*((w.first, len(w.offsets)) for w in windows), strict=True)
    )
    places = torch.where(steps < sizes, firsts + steps, 0)
    held = logits.gather(1, places).masked_fill(steps >= sizes, -1e4)
    return nn.functional.log_softmax(torch.cat([logits[:, :1], held], dim=1) / TEMPERATURE, dim=1)


def disagreement(
    pupil: torch.Tensor, windows: Sequence[Window], teacher: torch.Tensor, theirs: Sequence[Window]
) -> torch.Tensor:
    """Return how far the pupil's likelihoods are from the teacher's (KL), on the scale of a cross entropy."""
    apart = nn.functional.kl_div(
        likelihoods(pupil, windows), likelihoods(teacher, theirs), reduction="batchmean", log_target=True
    )
    return TEMPERATURE**2 * apart

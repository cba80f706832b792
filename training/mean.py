"""Models of one shape → one with the mean of their weights, often better than each ("Model soups", 2022).

    python -m training.mean /tmp/reader-2/reader /tmp/reader-4/reader --out /tmp/reader-5

It works for models that were trained on from one another, and not for such as began apart.
"""

import argparse
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

_WEIGHTS = "model.safetensors"


def mean(models: Sequence[Mapping[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    """Return the mean of each weight, in float32.

    :raises ValueError: if they do not have the same weights in the same shapes.
    """
    shapes = [{name: weight.shape for name, weight in model.items()} for model in models]
    if any(other != shapes[0] for other in shapes):
        raise ValueError("the models do not have the same weights in the same shapes: they have no mean")
    return {name: torch.stack([model[name].float() for model in models]).mean(0) for name in models[0]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "models", type=Path, nargs="+", help="model folders; all but the weights is taken from the last"
    )
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    weights = mean([load_file(folder / _WEIGHTS) for folder in args.models])
    shutil.copytree(args.models[-1], args.out, dirs_exist_ok=True)
    save_file(weights, args.out / _WEIGHTS, metadata={"format": "pt"})


if __name__ == "__main__":
    main()

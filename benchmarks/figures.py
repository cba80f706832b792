"""Figures as they come: printed a line each, kept, and written as JSON at the end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

_WIDTH = 28


class Figures:
    """The figures of one run. `quiet`: none is printed."""

    def __init__(self, *, width: int = _WIDTH, quiet: bool = False) -> None:
        self.found: dict[str, Any] = {}
        self._width = width
        self._quiet = quiet

    def add(self, name: str, value: Any) -> None:
        """Keep a figure and print it."""
        self.found[name] = value
        if not self._quiet:
            print(f"{name:{self._width}} {value}", flush=True)

    def add_all(self, figures: dict[str, Any]) -> None:
        """Keep and print several, in their order."""
        for name, value in figures.items():
            self.add(name, value)

    def save(self, place: Path | None) -> None:
        """Write all figures as JSON, if there is a place for them."""
        if place is not None:
            place.write_text(json.dumps(self.found, indent=2, default=str) + "\n", encoding="utf-8")

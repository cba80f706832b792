"""Curves over sizes that grow tenfold → one SVG, to stand in a page of the documentation. Both axes are logarithmic."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

_WIDTH, _HEIGHT = 430, 320
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 14, 34, 92
_LINE = 15  # from one line of the legend to the next
# Told apart also without colours: by dashes, and by shade.
_LOOKS = (("#1b5e9e", ""), ("#7fb2de", ""), ("#b3541e", "6 3"), ("#e0a57a", "6 3"))
_STYLE = (
    "<style>text{font:11px sans-serif;fill:#444}.name{font-weight:bold;fill:#222}.grid{stroke:#ddd}"
    ".limit{stroke:#999;stroke-dasharray:2 3}polyline{fill:none;stroke-width:2}</style>"
)


@dataclass(frozen=True, slots=True)
class Panel:
    """Named curves over the same sizes; every value is above 0. `limits` are lines to stay below."""

    name: str
    unit: str
    sizes: Sequence[int]
    curves: Mapping[str, Sequence[float]]
    limits: Sequence[float] = ()

    def __post_init__(self) -> None:
        if not 1 <= len(self.curves) <= len(_LOOKS):
            raise ValueError(f"{len(self.curves)} curves in {self.name!r}; from 1 to {len(_LOOKS)} can be told apart")
        for name, values in self.curves.items():
            if len(values) != len(self.sizes) or min(values, default=0.0) <= 0.0:
                raise ValueError(f"{name!r} has no value above 0 for each of {len(self.sizes)} sizes: {list(values)}")


def picture(panels: Sequence[Panel], said: str) -> str:
    """Return the panels beside one another as one SVG document; `said` tells what is seen to those who do not see."""
    drawn = "".join(f'<g transform="translate({_WIDTH * n} 0)">{_panel(one)}</g>' for n, one in enumerate(panels))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH * len(panels)} {_HEIGHT}" role="img" '
        f'aria-label="{escape(said)}">{_STYLE}<rect width="100%" height="100%" fill="#fff"/>{drawn}</svg>\n'
    )


def _panel(panel: Panel) -> str:
    values = [*panel.limits, *(value for curve in panel.curves.values() for value in curve)]
    across = _Axis(min(panel.sizes), max(panel.sizes), _LEFT, _WIDTH - _RIGHT)
    low, high = _tick_below(min(values)), _tick_above(max(values))
    up = _Axis(low, high, _HEIGHT - _BOTTOM, _TOP)
    drawn = [_words(_LEFT, 16, f"{panel.name}, {panel.unit}", "name")]
    for tick in _ticks(low, high):
        drawn.append(_line(_LEFT, up.at(tick), _WIDTH - _RIGHT, up.at(tick), "grid"))
        drawn.append(_words(_LEFT - 6, up.at(tick) + 4, f"{tick:g}", "up", "end"))
    for size in panel.sizes:
        drawn.append(_line(across.at(size), _TOP, across.at(size), _HEIGHT - _BOTTOM, "grid"))
        drawn.append(_words(across.at(size), _HEIGHT - _BOTTOM + 16, f"{size:,}", "across", "middle"))
    drawn += [_line(_LEFT, up.at(limit), _WIDTH - _RIGHT, up.at(limit), "limit") for limit in panel.limits]
    for number, ((name, curve), (colour, dashes)) in enumerate(zip(panel.curves.items(), _LOOKS, strict=False)):
        points = [(across.at(size), up.at(value)) for size, value in zip(panel.sizes, curve, strict=True)]
        look = f'stroke="{colour}" stroke-dasharray="{dashes}"' if dashes else f'stroke="{colour}"'
        drawn.append(f'<polyline {look} points="{" ".join(f"{x},{y}" for x, y in points)}"/>')
        drawn += [f'<circle cx="{x}" cy="{y}" r="3" fill="{colour}"/>' for x, y in points]
        below = _HEIGHT - _BOTTOM + 34 + _LINE * number
        drawn.append(f'<polyline {look} points="{_LEFT},{below - 4} {_LEFT + 24},{below - 4}"/>')
        drawn.append(_words(_LEFT + 30, below, f"{name} ({_figure(curve[0])} to {_figure(curve[-1])})", "legend"))
    return "".join(drawn)


@dataclass(frozen=True, slots=True)
class _Axis:
    """Maps [low, high] to pixels, logarithmically."""

    low: float
    high: float
    begin: float
    end: float

    def at(self, value: float) -> float:
        if self.low == self.high:
            return round((self.begin + self.end) / 2, 1)
        share = math.log(value / self.low) / math.log(self.high / self.low)
        return round(self.begin + share * (self.end - self.begin), 1)


def _tick_below(value: float) -> float:
    decade = 10.0 ** math.floor(math.log10(value))
    return max(tick for tick in _ticks(decade, 10 * decade) if tick <= value)


def _tick_above(value: float) -> float:
    decade = 10.0 ** math.floor(math.log10(value))
    return min(tick for tick in _ticks(decade, 10 * decade) if tick >= value)


def _ticks(low: float, high: float) -> list[float]:
    """Return 1, 3, 10, 30, … from `low` to `high`, both included."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    every = [times * 10.0**power for power in range(first, last + 1) for times in (1, 3)]
    return [tick for tick in every if low * 0.999 <= tick <= high * 1.001]


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    return f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" class="{kind}"/>'


def _words(x: float, y: float, text: str, kind: str, anchor: str = "start") -> str:
    return f'<text x="{round(x, 1)}" y="{round(y, 1)}" class="{kind}" text-anchor="{anchor}">{escape(text)}</text>'

"""Curves → SVG, to stand inside a page. Only numbers and words of ours are drawn; the colours are the page's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from qa.evaluation.chance import wilson
from qa.evaluation.curves import BINS, Bin, Point

_WIDTH, _HEIGHT = 360, 270
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 12, 14, 44
_TICKS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


@dataclass(frozen=True, slots=True)
class Stack:
    """How many questions of one bin of confidence came out how."""

    right: int
    wrong: int
    no_answer: int


def reliability_plot(bins: Sequence[Bin]) -> str:
    """Return confidence against the share that is right: bars, with 95 % intervals, and the line where both agree."""
    drawn = []
    for one in bins:
        interval = wilson(round(one.right * one.count), one.count)
        middle = (one.low + one.high) / 2
        drawn.append(_bar(one.low, one.high, 0, one.right, "right"))
        drawn.append(_line(middle, interval.low, middle, interval.high, "interval"))
        drawn.append(f'<circle cx="{_x(one.confidence)}" cy="{_y(one.right)}" r="3.5" class="dot"/>')
        drawn.append(_words(_x(middle), _y(0) - 4, str(one.count), "count"))
    drawn.append(_line(0, 0, 1, 1, "even"))
    said = "Reliability: the share of right answers in each bin of confidence"
    return _framed(drawn, said, "confidence", "share right", [_percent(tick) for tick in _TICKS])


def risk_plot(points: Sequence[Point], answered: float | None, wrong: float | None) -> str:
    """Return coverage against the share wrong; (`answered`, `wrong`) is where the service stands, if both are known."""
    steps = list(dict.fromkeys((_x(point.coverage), _y(point.wrong)) for point in points))
    drawn = []
    if steps:
        drawn.append(f'<polyline class="curve" points="{" ".join(f"{x},{y}" for x, y in steps)}"/>')
    if answered is not None and wrong is not None:
        drawn.append(f'<circle cx="{_x(answered)}" cy="{_y(wrong)}" r="4.5" class="here"/>')
        # The words stay inside the frame, wherever the point is.
        side = "before" if answered > 0.6 else "after"
        drawn.append(_words(_x(answered) + (-8 if side == "before" else 8), _y(wrong) - 8, "now", side))
    said = "Risk and coverage: the share of wrong answers when more or fewer questions are answered"
    return _framed(drawn, said, "share of questions answered", "wrong when answered", [_percent(t) for t in _TICKS])


def histogram(stacks: Sequence[Stack], threshold: float | None) -> str:
    """Return how many questions have which confidence, by how they came out; `stacks` has BINS of them."""
    if len(stacks) != BINS:
        raise ValueError(f"{len(stacks)} stacks for {BINS} bins")
    most = max(1, *(stack.right + stack.wrong + stack.no_answer for stack in stacks))
    drawn = []
    for number, stack in enumerate(stacks):
        base = 0
        for count, kind in ((stack.right, "right"), (stack.wrong, "wrong"), (stack.no_answer, "none")):
            if count:
                drawn.append(_bar(number / BINS, (number + 1) / BINS, base / most, (base + count) / most, kind))
            base += count
    if threshold is not None:
        drawn.append(_line(threshold, 0, threshold, 1, "threshold"))
    said = "How many questions have which confidence"
    return _framed(drawn, said, "confidence", "questions", [f"{tick * most:g}" for tick in _whole(most)], _whole(most))


def _whole(most: int) -> list[float]:
    """Return the ticks, in [0, 1], that stand at whole numbers of questions, about five of them."""
    step = max(1, -(-most // 5))
    return [count / most for count in range(0, most + 1, step)]


def _framed(
    drawn: Sequence[str], said: str, across: str, up: str, labels: Sequence[str], ticks: Sequence[float] = _TICKS
) -> str:
    """Return what is drawn inside axes; `labels` stand at the `ticks` of the upright one."""
    grid = [_line(0, tick, 1, tick, "grid") for tick in ticks]
    grid += [_words(_LEFT - 6, _y(tick) + 4, label, "up") for tick, label in zip(ticks, labels, strict=True)]
    grid += [_words(_x(tick), _HEIGHT - _BOTTOM + 16, f"{tick:.1f}", "across") for tick in _TICKS]
    middle = (_TOP + _HEIGHT - _BOTTOM) / 2
    axes = [
        _words((_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 8, across, "axis"),
        f'<text class="axis" transform="translate(11 {middle:g}) rotate(-90)">{up}</text>',
    ]
    inside = "".join([*grid, *drawn, *axes])
    return f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{said}">{inside}</svg>'


def _x(value: float) -> float:
    return round(_LEFT + value * (_WIDTH - _LEFT - _RIGHT), 1)


def _y(value: float) -> float:
    return round(_HEIGHT - _BOTTOM - value * (_HEIGHT - _TOP - _BOTTOM), 1)


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    return f'<line x1="{_x(x1)}" y1="{_y(y1)}" x2="{_x(x2)}" y2="{_y(y2)}" class="{kind}"/>'


def _bar(left: float, right: float, low: float, high: float, kind: str) -> str:
    """Return a bar with a little room on both sides."""
    x, width = _x(left) + 1.5, _x(right) - _x(left) - 3
    return f'<rect x="{x:g}" y="{_y(high)}" width="{width:g}" height="{round(_y(low) - _y(high), 1)}" class="{kind}"/>'


def _words(x: float, y: float, text: str, kind: str) -> str:
    return f'<text x="{round(x, 1)}" y="{round(y, 1)}" class="{kind}">{text}</text>'


def _percent(share: float) -> str:
    return f"{share:.0%}"

"""Units of measure, as they stand before and after a number."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit and where it stands: `base = (number + shift) * factor`. Money has a dimension for each currency."""

    start: int
    end: int
    dimension: str
    factor: float
    shift: float = 0.0
    measured: bool = False

    def to_base(self, number: float) -> float:
        """Return `number` of this unit in the base unit of its dimension."""
        return (number + self.shift) * self.factor


# dimension, factor to its base unit, how it is written (a regular expression, whole words, case aside).
_UNITS: tuple[tuple[str, float, str], ...] = (
    ("points", 1.0, r"(?:percentage|per ?cent) points?\b"),
    ("points", 0.01, r"basis points?\b"),
    ("percent", 1.0, r"%|per ?cent\b|pct\b"),
    ("area", 1e6, r"(?:square|sq\.?) (?:kilomet(?:er|re)s?|km)\b|km²|km2\b"),
    ("area", 2.589988e6, r"(?:square|sq\.?) mi(?:les?)?\b"),
    ("area", 1.0, r"(?:square|sq\.?) m(?:et(?:er|re)s?)?\b|m²|m2\b"),
    ("area", 0.092903, r"(?:square|sq\.?) (?:feet|foot|ft)\b"),
    ("area", 1e4, r"hectares?\b|ha\b"),
    ("area", 4046.856, r"acres?\b"),
    ("speed", 1.0, r"km/h\b|kph\b|kmh\b|kilomet(?:er|re)s? (?:per|an) hour\b"),
    ("speed", 1.609344, r"mph\b|miles? (?:per|an) hour\b"),
    ("speed", 1.852, r"knots?\b"),
    ("speed", 3.6, r"m/s\b|met(?:er|re)s? (?:per|a) second\b"),
    ("length", 1000.0, r"kilomet(?:er|re)s?\b|km\b"),
    ("length", 1852.0, r"nautical miles?\b"),
    ("length", 1609.344, r"miles?\b|mi\b"),
    ("length", 0.9144, r"yards?\b|yd\b"),
    ("length", 0.3048, r"feet\b|foot\b|ft\b"),
    ("length", 0.0254, r"inch(?:es)?\b"),
    ("length", 0.01, r"centimet(?:er|re)s?\b|cm\b"),
    ("length", 0.001, r"millimet(?:er|re)s?\b|mm\b"),
    ("length", 1.0, r"met(?:er|re)s?\b|m\b"),
    ("mass", 1000.0, r"(?:metric )?tonn?es\b|tonne\b|(?:metric )?tons?\b"),
    ("mass", 0.001, r"grams?\b|grammes?\b|g\b"),
    ("mass", 1.0, r"kilogram(?:me)?s?\b|kilos?\b|kg\b"),
    ("money gbp", 1.0, r"(?:british )?pounds sterling\b|british pounds\b|gbp\b"),
    ("mass", 0.45359237, r"pounds?\b|lbs?\b"),
    ("mass", 0.0283495, r"ounces?\b|oz\b"),
    ("temperature", 1.0, r"°\s?c\b|℃|degrees? (?:celsius|centigrade|c)\b|celsius\b"),
    ("temperature", 5 / 9, r"°\s?f\b|℉|degrees? (?:fahrenheit|f)\b|fahrenheit\b"),
    ("angle", 1.0, r"°|degrees?\b"),
    ("duration", 1 / 60, r"seconds?\b|secs?\b"),
    ("duration", 1.0, r"minutes?\b|mins?\b"),
    ("duration", 60.0, r"hours?\b|hrs?\b"),
    ("duration", 1440.0, r"days?\b"),
    ("duration", 10_080.0, r"weeks?\b"),
    ("duration", 43_830.0, r"months?\b"),
    ("duration", 525_960.0, r"years?\b"),
    ("duration", 5_259_600.0, r"decades?\b"),
    ("volume", 1.0, r"lit(?:er|re)s?\b"),
    ("volume", 3.785412, r"gallons?\b"),
    ("volume", 158.987, r"barrels?\b|bbl\b"),
    ("volume", 1000.0, r"cubic met(?:er|re)s?\b|m³"),
    ("energy", 1.0, r"kilowatt[ -]hours?\b|kwh\b"),
    ("energy", 1e3, r"megawatt[ -]hours?\b|mwh\b"),
    ("energy", 1e6, r"gigawatt[ -]hours?\b|gwh\b"),
    ("power", 1e-3, r"watts?\b"),
    ("power", 1.0, r"kilowatts?\b|kw\b"),
    ("power", 1e3, r"megawatts?\b|mw\b"),
    ("power", 1e6, r"gigawatts?\b|gw\b"),
    ("money usd", 1.0, r"(?:us |u\.s\. |american )?dollars?\b|usd\b"),
    ("money usd", 0.01, r"cents?\b"),
    ("money eur", 1.0, r"euros?\b|eur\b|€"),
    ("money cny", 1.0, r"(?:chinese )?yuan\b|renminbi\b|rmb\b"),
    ("money jpy", 1.0, r"yen\b"),
    ("money inr", 1.0, r"rupees?\b"),
    ("money chf", 1.0, r"(?:swiss )?francs?\b|chf\b"),
)
# Countable although they have a unit: three days are not 2.6 days.
_COUNTED = frozenset({"duration", "points"})
_AFTER = re.compile(r"[\s-]?(?:" + "|".join(f"(?P<u{n}>{how})" for n, (_, _, how) in enumerate(_UNITS)) + ")", re.I)
_SIGNS = {
    "$": "money usd", "us$": "money usd", "usd": "money usd", "€": "money eur", "eur": "money eur", "£": "money gbp",
    "gbp": "money gbp", "¥": "money yen or yuan", "a$": "money aud", "c$": "money cad", "hk$": "money hkd",
    "chf": "money chf",
}  # fmt: skip
_BEFORE = re.compile(r"(?<![A-Za-z])(?:us\$|a\$|c\$|hk\$|usd|eur|gbp|chf|[$€£¥])\s?$", re.I)
_FAHRENHEIT_SHIFT = -32.0
_LONGEST_SIGN = 4
_LONGEST_UNIT = 32


def unit_after(text: str, place: int) -> Unit | None:
    """Return the unit that follows the number which ends at `place`."""
    found = _AFTER.match(text[place : place + _LONGEST_UNIT])
    if found is None or found.lastgroup is None:
        return None
    dimension, factor, _ = _UNITS[int(found.lastgroup[1:])]
    shift = _FAHRENHEIT_SHIFT if dimension == "temperature" and factor != 1.0 else 0.0
    measured = dimension not in _COUNTED
    return Unit(place, place + found.end(), dimension, factor, shift, measured)


def unit_before(text: str, place: int) -> Unit | None:
    """Return the currency that stands before the number which begins at `place`."""
    start = max(0, place - _LONGEST_SIGN)
    found = _BEFORE.search(text[start:place])
    if found is None:
        return None
    return Unit(start + found.start(), place, _SIGNS[found.group().strip().lower()], 1.0, 0.0, True)

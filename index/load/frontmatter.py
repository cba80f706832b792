"""The YAML header between two `---` lines at the top of a text or Markdown file."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import yaml

from index.errors import UnreadableDocument

_LIMIT = 64 * 1024
_HEADER = re.compile(r"---[ ]*\n(.*?)^(?:---|\.\.\.)[ ]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)
_KEY_FIRST = re.compile(r"""(?:[ ]*(?:#.*)?\n)*["']?[^\W\d][\w .-]{0,40}["']?[ ]*:(?:[ \n]|\Z)""")
_NOTHING = {"", "~", "null", "Null", "NULL"}


@dataclass(frozen=True, slots=True)
class FrontMatter:
    """The values by lower-case key, as strings in the author's own words: `no` is Norwegian here, not False."""

    values: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def one(self, *keys: str) -> str | None:
        """Return the first value under the first of `keys` that has one."""
        return next((self.values[key][0] for key in keys if self.values.get(key)), None)

    def joined(self, *keys: str) -> str | None:
        """Return all values under the first of `keys` that has one, with commas between."""
        return next((", ".join(self.values[key]) for key in keys if self.values.get(key)), None)

    def several(self, key: str) -> tuple[str, ...]:
        """Return the values under `key`; a single string is split at commas."""
        values = self.values.get(key, ())
        return tuple(values[0].split(",")) if len(values) == 1 else tuple(values)


def split_front_matter(text: str, name: str) -> tuple[FrontMatter, str]:
    """Return the header and the rest of `text`; all of it is the rest when it starts with no header.

    A `---` line that is only a rule, or text between two rules, is not a header.

    :raises UnreadableDocument: the header begins like one but is not sound YAML, is over 64 KiB, or has aliases.
    """
    found = _HEADER.match(text)
    if found is None:
        return FrontMatter(), text
    meant = _KEY_FIRST.match(found[1]) is not None
    if len(found[1]) > _LIMIT:
        if not meant:
            return FrontMatter(), text
        raise UnreadableDocument(name, f"front matter of {len(found[1]) // 1024} KiB, over the limit of 64 KiB")
    try:
        data = parse_yaml(found[1], first_line=2)
    except ValueError as error:
        if not meant:
            return FrontMatter(), text
        raise UnreadableDocument(name, f"front matter is not sound YAML ({error}); mend or remove it") from error
    rest = text[found.end() :]
    if isinstance(data, Mapping):
        return front_matter(data), rest
    return FrontMatter(), rest if data is None else text


def front_matter(data: Mapping[object, object]) -> FrontMatter:
    """Return the strings in a mapping that `parse_yaml` gave, by lower-case key."""
    return FrontMatter({str(key).strip().lower(): _strings(value) for key, value in data.items()})


def parse_yaml(source: str, first_line: int = 1) -> object:
    """Return mappings, sequences and strings, None for nothing; scalars stay as they were written.

    :raises ValueError: not sound YAML, or aliases; the message is a reason, lines counted from `first_line`.
    """
    try:
        data: object = _Loader(source).get_single_data()
    except yaml.MarkedYAMLError as error:
        line = "" if error.problem_mark is None else f"line {error.problem_mark.line + first_line}: "
        raise ValueError(f"{line}{error.problem}") from error
    except RecursionError as error:
        raise ValueError("nested too deep") from error
    except (yaml.YAMLError, ValueError) as error:
        raise ValueError(str(error).partition("\n")[0]) from error
    return data


class _Loader(yaml.BaseLoader):
    """YAML whose every scalar is a string, without aliases: a small header could unfold to gigabytes with them."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases are not allowed")
        return super().compose_node(parent, index)


def _strings(value: object) -> tuple[str, ...]:
    """Return the strings in a scalar, a list of scalars, or a list of mappings with a `name`."""
    if isinstance(value, str):
        return () if value.strip() in _NOTHING else (value,)
    if isinstance(value, Mapping):
        return _strings(value.get("name"))
    if isinstance(value, Sequence):
        return tuple(text for item in value if not isinstance(item, list) for text in _strings(item))
    return ()

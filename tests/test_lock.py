"""docs/deploy/requirements.lock, which `.ci/lock` writes, against pyproject.toml."""

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

REPOSITORY = Path(__file__).parents[1]
LOCK = REPOSITORY / "docs" / "deploy" / "requirements.lock"


def locked() -> dict[str, tuple[str, list[str]]]:
    """Return the version and the hashes of each package."""
    found: dict[str, tuple[str, list[str]]] = {}
    for entry in re.split(r"\n(?=[^\s#])", LOCK.read_text())[1:]:
        name, version = re.match(r"([\w.-]+)==(\S+)", entry).groups()  # type: ignore[union-attr]
        found[canonicalize_name(name)] = (version, re.findall(r"--hash=sha256:([0-9a-f]{64})\b", entry))
    return found


def test_every_package_has_one_version_and_hashes() -> None:
    assert len(locked()) > 40
    assert [name for name, (_, hashes) in locked().items() if not hashes] == []
    assert "://" not in LOCK.read_text()


def test_what_citespan_asks_for_is_locked_in_a_version_that_it_takes() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    wanted = [Requirement(text) for text in project["dependencies"]]
    found = locked()
    assert [
        str(one)
        for one in wanted
        if canonicalize_name(one.name) not in found
        or Version(found[canonicalize_name(one.name)][0]) not in one.specifier
    ] == []

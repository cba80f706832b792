"""docs/service.md says what is so: its commands exist, its examples parse, its figures are those that there are."""

from __future__ import annotations

import json
import logging
import re
from pathlib import Path

import yaml
from prometheus_client.parser import text_string_to_metric_families

from api.logs import JsonFormatter
from api.metrics import Metrics
from api.settings import Settings
from api.wiring import open_runtime
from tests.fakes import HashingEmbedder
from tests.shelf import shelf
from tests.test_readme import citespan_problem, command_lines

REPOSITORY = Path(__file__).resolve().parent.parent
PAGE = (REPOSITORY / "docs" / "service.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert isinstance(found, str)
    return found


def test_every_command_of_ours_exists() -> None:
    commands = [words[words.index("--") + 1 :] if "--" in words else words for words in command_lines(PAGE)]
    commands = [words[words.index("citespan") :] if "run" in words[:3] else words for words in commands]
    ours = [words for words in commands if Path(words[0]).name == "citespan"]
    assert len(ours) == 2
    assert {" ".join(words): citespan_problem(words[1:]) for words in ours} == {" ".join(words): None for words in ours}


def test_the_files_that_it_installs_are_there() -> None:
    files = {word for words in command_lines(PAGE) for word in words if word.startswith("docs/deploy/")}
    assert len(files) == 3
    assert all((REPOSITORY / file).is_file() for file in files)


def test_a_line_of_the_log_looks_as_it_is_shown() -> None:
    shown = json.loads(block("json"))
    assert list(shown) == [
        "time", "level", "logger", "message", "request_id", "method", "route", "status", "ms", "key",
    ]  # fmt: skip

    record = logging.LogRecord(shown["logger"], logging.INFO, "", 0, shown["message"], (), None)
    record.__dict__.update({name: shown[name] for name in ("request_id", "method", "route", "status", "ms", "key")})
    assert list(json.loads(JsonFormatter().format(record))) == list(shown)


def test_the_scrape_configuration_is_yaml() -> None:
    (job,) = yaml.safe_load(block("yaml"))["scrape_configs"]
    assert job["job_name"] == "citespan"


def test_the_table_of_figures_has_them_all_and_no_other(tmp_path: Path) -> None:
    runtime = open_runtime(Settings(library=shelf(tmp_path, {"a.md": "# A\n\nOne.\n"})), HashingEmbedder())
    try:
        families = list(text_string_to_metric_families(Metrics([0.5] * 100).text(runtime).decode()))
    finally:
        runtime.close()
    exist = {f"{one.name}_total" if one.type == "counter" else one.name for one in families}
    ours = {name for name in exist if name.startswith("citespan_") and not name.endswith("_created")}
    table = "\n".join(line for line in PAGE.splitlines() if line.startswith("| `citespan_"))
    assert set(re.findall(r"`(citespan_[a-z_]+)", table)) == ours

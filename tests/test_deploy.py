"""What is in docs/deploy, read as far as it can be read without the programs that it is for."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from api.metrics import Metrics
from api.settings import Settings
from api.wiring import open_runtime
from tests.fakes import HashingEmbedder
from tests.shelf import shelf
from tests.test_readme import citespan_problem

DEPLOY = Path(__file__).resolve().parent.parent / "docs" / "deploy"
_VARIABLE = re.compile(r"CITESPAN_([A-Z_]+)")
# Names in an expression that are functions, words and labels of PromQL or Grafana.
_NO_METRIC = re.compile(r"\$\w+|\"[^\"]*\"|\b(?:by|le|rate|sum|increase|time|histogram_quantile)\b")


def text(name: str) -> str:
    return (DEPLOY / name).read_text(encoding="utf-8")


def unit(name: str) -> dict[str, dict[str, list[str]]]:
    """Return a unit file: section, option, values; an option may stand there more than once."""
    found: dict[str, dict[str, list[str]]] = {}
    section = ""
    for line in text(name).splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif line and not line.startswith("#"):
            option, _, value = line.partition("=")
            found.setdefault(section, {}).setdefault(option, []).append(value)
    return found


def known(names: Iterator[str] | list[str]) -> bool:
    return {name.lower() for name in names} <= set(Settings.model_fields)


# ---- systemd ---------------------------------------------------------------------------------------------------------


def test_the_service_runs_a_command_that_exists_and_sets_what_can_be_set() -> None:
    service = unit("citespan.service")["Service"]
    (started,) = service["ExecStart"]
    program, *arguments = shlex.split(started)
    assert program.endswith("/bin/citespan")
    assert citespan_problem(arguments) is None
    assert known(_VARIABLE.findall(" ".join(service["Environment"])))
    # Of a server that says when it is ready, the manager takes nothing else for its start.
    assert service["Type"] == ["notify"]
    # Longer than the server takes to end by itself.
    assert service["TimeoutStopSec"] == ["20s"]


def test_the_service_may_do_little() -> None:
    service = unit("citespan.service")["Service"]
    for option, value in {
        "NoNewPrivileges": "yes", "ProtectSystem": "strict", "ProtectHome": "yes", "PrivateTmp": "yes",
        "PrivateDevices": "yes", "CapabilityBoundingSet": "", "RestrictSUIDSGID": "yes", "ProtectProc": "invisible",
        "UMask": "0077", "User": "citespan",
    }.items():  # fmt: skip
        assert service[option] == [value], option


def test_the_socket_is_of_this_machine_alone() -> None:
    assert unit("citespan.socket")["Socket"]["ListenStream"] == ["127.0.0.1:8000"]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_systemd_finds_nothing_wrong_but_that_it_is_not_installed() -> None:
    units = [str(DEPLOY / name) for name in ("citespan.service", "citespan.socket")]
    done = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True, check=False)
    wrong = [line for line in done.stderr.splitlines() if "/opt/citespan/bin/citespan is not executable" not in line]
    assert wrong == []


# ---- containers ------------------------------------------------------------------------------------------------------


def stages() -> list[list[tuple[str, str]]]:
    """Return the instructions of the Dockerfile, by stage."""
    lines = [line for line in text("Dockerfile").splitlines() if not line.lstrip().startswith("#")]
    found: list[list[tuple[str, str]]] = []
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        name, _, rest = line.strip().partition(" ")
        if name == "FROM":
            found.append([])
        if name:
            found[-1].append((name, rest.strip()))
    return found


def test_the_wheel_is_built_in_a_first_stage_from_what_the_wheel_needs() -> None:
    build, run = stages()
    copied = {word for name, rest in build if name == "COPY" for word in rest.split()[:-1]}
    project = tomllib.loads((DEPLOY.parent.parent / "pyproject.toml").read_text(encoding="utf-8"))
    needed = {*project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"], project["project"]["readme"]}
    needed |= project["tool"]["hatch"]["build"]["targets"]["wheel"]["shared-data"].keys()
    assert copied == needed | set(project["project"]["license-files"]) | {"pyproject.toml"}
    assert ("COPY", "--from=wheel /dist /dist") in run
    # What the first stage needs is not kept from it.
    ignored = text("Dockerfile.dockerignore").splitlines()
    assert {line.removeprefix("!") for line in ignored if line.startswith("!")} == copied


def test_the_image_runs_as_nobody_in_particular_and_says_how_it_does() -> None:
    run = dict(stages()[1])
    assert run["USER"] == "10001"
    assert "/readyz" in run["HEALTHCHECK"]
    assert citespan_problem([*json.loads(run["ENTRYPOINT"])[1:], *json.loads(run["CMD"])]) is None
    assert known(_VARIABLE.findall(run["ENV"]))
    health = json.loads(run["HEALTHCHECK"].partition("CMD ")[2])
    compile(health[2], "healthcheck", "exec")


def test_the_composition_gives_the_container_nothing_that_it_does_not_need() -> None:
    service: Mapping[str, Any] = yaml.safe_load(text("compose.yaml"))["services"]["citespan"]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    assert citespan_problem(service["command"]) is None
    place = (DEPLOY / service["build"]["context"]).resolve()
    assert (place / service["build"]["dockerfile"]).is_file()


# ---- settings and figures --------------------------------------------------------------------------------------------


def test_the_file_of_settings_sets_what_can_be_set() -> None:
    assert Settings(**tomllib.loads(text("citespan.toml"))).log_format == "json"


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return the kind of every figure that a server has, by name."""
    runtime = open_runtime(
        Settings(library=shelf(tmp_path_factory.mktemp("deploy"), {"a.md": "# A\n\nOne.\n"})), HashingEmbedder()
    )
    try:
        metrics = Metrics([0.5] * 100)
        return {family.name: family.type for family in text_string_to_metric_families(metrics.text(runtime).decode())}
    finally:
        runtime.close()


def named(expression: str) -> set[str]:
    """Return the figures that a PromQL expression names."""
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]|\bby \([^)]*\)", " ", expression)
    return set(re.findall(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)+", _NO_METRIC.sub(" ", bare)))


def test_every_figure_of_the_dashboard_exists_and_the_dashboard_has_them_all(figures: dict[str, str]) -> None:
    dashboard = json.loads(text("grafana-dashboard.json"))
    expressions = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    expressions += [one["query"]["query"] for one in dashboard["templating"]["list"] if one["type"] == "query"]
    ends = {"counter": "_total", "histogram": "_bucket", "gauge": ""}
    exist = {name + ends[kind]: name for name, kind in figures.items()}
    used = set().union(*(named(one) for one in expressions)) - {"label_values"}
    assert used <= exist.keys()
    ours = {name for name in figures if name.startswith("citespan_") and not name.endswith("_created")}
    assert ours - {exist[name] for name in used} == {"citespan_confidence_drift_answers"}


def test_the_panels_do_not_lie_on_one_another() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in json.loads(text("grafana-dashboard.json"))["panels"]:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not taken & cells, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells


def test_a_name_in_an_expression_is_told_from_what_is_around_it() -> None:
    rate = 'rate(citespan_stage_seconds_bucket{job="$job",instance=~"$instance"}[$__rate_interval])'
    assert named(f"histogram_quantile(0.5, sum by (stage, le) ({rate}))") == {"citespan_stage_seconds_bucket"}
    assert named("time() - citespan_generation") == {"citespan_generation"}

"""Settings: from the environment, with defaults that are safe."""

from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from api.settings import Settings

WEBHOOK_SECRET = "whsec_MDEyMzQ1Njc4OWFiY2RlZmdoaWprbG1ub3BxcnN0dXY="


def test_the_server_is_for_this_machine_only_unless_told_otherwise() -> None:
    settings = Settings()
    assert (settings.host, settings.port, settings.allowed_hosts) == ("127.0.0.1", 8000, ())


def test_the_library_is_in_the_data_folder_of_the_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("platformdirs.user_data_dir", lambda name, appauthor: str(tmp_path / name))
    assert Settings().library == tmp_path / "citespan" / "library"


def test_every_setting_can_be_given_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    environment = {
        "library": "/srv/library", "embedder": "models/other", "reader": "models/qa",
        "host": "0.0.0.0", "port": "0",
        "allowed_hosts": "docs.example.org, intranet", "asks_at_once": "4", "asks_waiting": "0",
        "refresh_seconds": "0.5", "largest_request": "2000", "api_key": "open sesame", "largest_upload": "5000",
        "jobs_waiting": "3", "jobs_bytes": "9000",
        "webhook_url": "https://example.org/hook", "webhook_secret": WEBHOOK_SECRET,
        "insecure": "true", "cors_origins": "https://a.example.org, http://localhost:3000", "requests_per_minute": "60",
        "forwarded_allow_ips": "10.0.0.0/8", "tls_cert": "/etc/cert.pem", "tls_key": "/etc/key.pem",
        "log_format": "json", "log_level": "info", "store": "qdrant://engine:6333/news", "store_key": "engine's secret",
    }  # fmt: skip
    assert environment.keys() == Settings.model_fields.keys()
    for name, value in environment.items():
        monkeypatch.setenv(f"CITESPAN_{name.upper()}", value)
    assert Settings().model_dump() == {
        "library": Path("/srv/library"), "embedder": "models/other", "reader": "models/qa",
        "host": "0.0.0.0", "port": 0,
        "allowed_hosts": ("docs.example.org", "intranet"), "asks_at_once": 4, "asks_waiting": 0,
        "refresh_seconds": 0.5, "largest_request": 2000, "api_key": SecretStr("open sesame"), "largest_upload": 5000,
        "jobs_waiting": 3, "jobs_bytes": 9000,
        "webhook_url": SecretStr("https://example.org/hook"), "webhook_secret": SecretStr(WEBHOOK_SECRET),
        "insecure": True, "cors_origins": ("https://a.example.org", "http://localhost:3000"), "requests_per_minute": 60,
        "forwarded_allow_ips": "10.0.0.0/8", "tls_cert": Path("/etc/cert.pem"), "tls_key": Path("/etc/key.pem"),
        "log_format": "json", "log_level": "info",
        "store": "qdrant://engine:6333/news", "store_key": SecretStr("engine's secret"),
    }  # fmt: skip


def test_an_option_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CITESPAN_PORT", "1")
    assert Settings(port=2).port == 2


def test_an_empty_variable_is_as_good_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty CITESPAN_LIBRARY would make a library of the working directory."""
    expected = Settings().library
    monkeypatch.setenv("CITESPAN_LIBRARY", "")
    monkeypatch.setenv("CITESPAN_PORT", "")
    assert (Settings().library, Settings().port) == (expected, 8000)


def test_the_home_folder_is_understood(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("CITESPAN_LIBRARY", "~/documents")
    assert Settings().library == tmp_path / "documents"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("port", "65536"), ("port", "-1"), ("port", "http"), ("asks_at_once", "0"), ("asks_waiting", "-1"),
        ("refresh_seconds", "0"), ("largest_request", "0"), ("largest_upload", "0"), ("jobs_waiting", "0"),
        ("jobs_bytes", "0"),
    ],
)  # fmt: skip
def test_a_value_out_of_range_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"CITESPAN_{name.upper()}", value)
    with pytest.raises(ValidationError) as refused:
        Settings()
    assert refused.value.errors()[0]["loc"] == (name,)


def test_settings_do_not_change_under_a_running_service() -> None:
    with pytest.raises(ValidationError):
        Settings().port = 1

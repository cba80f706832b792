"""Every setting, its variable `CITESPAN_…` and its default. `config.py` reads the file that may set them too."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import platformdirs
from pydantic import Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from api.logs import Format, Level
from api.webhook import key_of
from index.priority import cores
from index.remote.address import Address

_ORIGIN = re.compile(r"https?://(?:\[[0-9a-f:.]+\]|[a-z0-9.-]+)(?::[0-9]{1,5})?")


class Settings(BaseSettings):
    """Settings of one process; options of the command line override the environment."""

    model_config = SettingsConfigDict(
        env_prefix="CITESPAN_", env_ignore_empty=True, frozen=True, extra="ignore", hide_input_in_errors=True
    )

    log_format: Format = "console"
    """How the log on standard error looks: `console` for people, `json` for machines, one object a line."""
    log_level: Level = "warning"
    """From which level on it is told: `debug`, `info` (each request too), `warning` or `error`."""
    library: Path = Field(
        default_factory=lambda: Path(platformdirs.user_data_dir("citespan", appauthor=False)) / "library"
    )
    """The library's folder."""
    store: str | None = None
    """Where passages are searched, if not in the library's folder: `qdrant://host:6333/NAME` (docs/scale.md)."""
    store_key: SecretStr | None = None
    """The key that is shown there."""
    embedder: str | None = None
    """A sentence-transformers model; without one that of the library, and for a new library all-MiniLM-L6-v2."""
    reader: str | None = None
    """A question-answering model of the Hugging Face format, by folder or cached name; without it those that ship."""
    host: str = "127.0.0.1"
    """The address to listen on."""
    port: int = Field(default=8000, ge=0, le=65535)
    """The port to listen on; 0 takes a free one."""
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = ()
    """Further names that browsers may call this server by, commas between; localhost and its address go without."""
    asks_at_once: int = Field(default_factory=lambda: cores() + 2, ge=1)
    """Questions worked on at the same time; unless set, two more than the process has cores."""
    asks_waiting: int = Field(default=64, ge=0)
    """Questions that may wait for their turn; more are refused with 503."""
    refresh_seconds: float = Field(default=1.0, gt=0)
    """How often a server looks for generations that another process committed."""
    largest_request: int = Field(default=1_000_000, ge=1)
    """The largest request body, in bytes; requests with documents have limits of their own."""
    api_key: SecretStr | None = None
    """A maintainer's key; where `citespan keys` made none, what changes the library needs it and reading needs none."""
    insecure: bool = False
    """Whether to listen beyond this machine though reading needs no key."""
    cors_origins: Annotated[tuple[str, ...], NoDecode] = ()
    """Sites whose pages may call this server from a browser, as https://example.org, commas between."""
    requests_per_minute: int | None = Field(default=None, ge=0)
    """Requests a minute for each key, and for each address without one: 600 unless set, 0 for any number. Without keys,
    and on this machine alone, none are counted unless it is set."""
    forwarded_allow_ips: str = "127.0.0.1"
    """Addresses and networks of proxies whose X-Forwarded-For and X-Forwarded-Proto are believed, commas between."""
    tls_cert: Path | None = None
    """A certificate with its chain, in PEM: with it and its key the server speaks HTTPS."""
    tls_key: Path | None = Field(default=None, validate_default=True)
    """The key of that certificate, in PEM, without a password."""
    largest_upload: int = Field(default=32 * 1024 * 1024, ge=1)
    """The largest document that is taken over HTTP, in bytes; a request may hold four times as much."""
    jobs_waiting: int = Field(default=100, ge=1)
    """Uploads that may wait to be taken in; more are refused with 429."""
    jobs_bytes: int = Field(default=1024 * 1024 * 1024, ge=1)
    """Bytes that may be stored for them."""
    webhook_url: SecretStr | None = None
    """Where every new generation is told, by POST; without one nowhere."""
    webhook_secret: SecretStr | None = Field(default=None, validate_default=True)
    """What it is signed with: `whsec_` and base64 of 24 to 64 random bytes."""

    @field_validator("library")
    @classmethod
    def _at_home(cls, folder: Path) -> Path:
        """Read `~`, which no shell reads in the value of a variable."""
        return folder.expanduser()

    @field_validator("store")
    @classmethod
    def _place(cls, store: str | None) -> str | None:
        if store is not None:
            Address.parse(store)
        return store

    @field_validator("webhook_url")
    @classmethod
    def _address(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None:
            written = url.get_secret_value()
            try:
                parts = urlsplit(written)
                whole = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
            except ValueError:
                whole = False
            if not whole or not written.isprintable() or " " in written:
                # Whatever is wrong with it, no part of it is repeated: it may be a password.
                raise ValueError("a webhook address is written as in https://example.org/hook")
        return url

    @field_validator("webhook_secret")
    @classmethod
    def _signs(cls, secret: SecretStr | None, given: ValidationInfo) -> SecretStr | None:
        """Let no webhook go unsigned."""
        if secret is not None:
            key_of(secret.get_secret_value())
        elif given.data.get("webhook_url") is not None:
            raise ValueError("a webhook needs a secret to sign with; docs/bots.md says how to make one")
        return secret

    @field_validator("tls_key")
    @classmethod
    def _with_certificate(cls, key: Path | None, given: ValidationInfo) -> Path | None:
        if (key is None) != (given.data.get("tls_cert") is None):
            raise ValueError("a certificate and its key go together; set both, or neither")
        return key

    @field_validator("cors_origins")
    @classmethod
    def _sites(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        for origin in origins:
            if _ORIGIN.fullmatch(origin) is None:
                # With "*" every page that a user looks at could ask their library.
                raise ValueError(f"{origin[:100]!r} is no origin; name each site as in https://example.org")
        return origins

    @field_validator("allowed_hosts", "cors_origins", mode="before")
    @classmethod
    def _names(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(name.strip() for name in value.split(",") if name.strip())
        return value

"""What the environment says: every setting, its variable `CITESPAN_…` and its default."""

from __future__ import annotations

from pathlib import Path

import platformdirs
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Settings of one process; options of the command line override the environment."""

    model_config = SettingsConfigDict(env_prefix="CITESPAN_", frozen=True, extra="ignore")

    library: Path = Field(
        default_factory=lambda: Path(platformdirs.user_data_dir("citespan", appauthor=False)) / "library"
    )
    """The library's folder."""
    embedder: str = "all-MiniLM-L6-v2"
    """A sentence-transformers model: the default one, or a folder."""
    host: str = "127.0.0.1"
    """The address to listen on."""
    port: int = Field(default=8000, ge=0, le=65535)
    """The port to listen on; 0 takes a free one."""
    allowed_hosts: tuple[str, ...] = ()
    """Further names that browsers may use for this server; the address itself and localhost always may."""
    asks_at_once: int = Field(default=2, ge=1)
    """Questions worked on at the same time: about one a core."""
    asks_waiting: int = Field(default=64, ge=0)
    """Questions that may wait for their turn; more are refused with 503."""
    refresh_seconds: float = Field(default=1.0, gt=0)
    """How often a server looks for generations that another process committed."""
    largest_request: int = Field(default=1_000_000, ge=1)
    """The largest request body, in bytes."""

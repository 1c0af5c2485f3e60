"""Every setting, read once from the environment; unsafe combinations are refused at start."""

from __future__ import annotations

import re
from functools import cache
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from limits import parse
from pydantic import AfterValidator, AliasChoices, Field
from pydantic_settings import BaseSettings, SettingsConfigDict


def _rate(value: str) -> str:
    parse(value)
    return value


def _origin(value: str) -> str:
    parts = urlsplit(value.strip())
    if value and (parts.scheme not in {"http", "https"} or not parts.hostname or parts.path.strip("/")):
        raise ValueError("must be an address such as https://blametrail.example.com, without a path")
    return value.strip().rstrip("/")


HOST_NAME = re.compile(r"(?!(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)\.?\Z)(?:[a-z0-9_-]{1,63}\.)*[a-z0-9_-]{1,63}\.?", re.IGNORECASE)
"""A name of ASCII letters; what ends in a number is an address, in one of the many ways to write one."""


def parse_hosts(value: str) -> tuple[frozenset[str], tuple[IPv4Network | IPv6Network, ...]]:
    """Host names in lower case without a last dot, and networks (an address is one of its own), from a comma-separated
    list; raises ValueError."""
    names, networks = set(), []
    for entry in filter(None, (part.strip() for part in value.split(","))):
        if HOST_NAME.fullmatch(entry):
            names.add(entry.lower().removesuffix("."))
            continue
        try:
            networks.append(ip_network(entry))
        except ValueError:
            raise ValueError("must list host names, addresses or networks such as 10.0.0.0/8, separated by commas") from None
    return frozenset(names), tuple(networks)


def _hosts(value: str) -> str:
    parse_hosts(value)
    return value


def _database(value: str) -> str:
    if value and value.partition("://")[0] not in {"postgresql", "postgres", "postgresql+psycopg", "sqlite"}:
        raise ValueError("must be an address such as postgresql://blametrail@127.0.0.1/blametrail")
    return value


Rate = Annotated[str, AfterValidator(_rate)]
Origin = Annotated[str, AfterValidator(_origin)]
Hosts = Annotated[str, AfterValidator(_hosts)]
DatabaseAddress = Annotated[str, AfterValidator(_database)]


class Settings(BaseSettings):
    """One field is one environment variable, `BLAMETRAIL_` before its name unless an alias is given."""

    model_config = SettingsConfigDict(env_prefix="BLAMETRAIL_", env_ignore_empty=True, populate_by_name=True, extra="ignore")

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=1, le=65535, description="Port of the pages and the API.")
    public_url: Origin = Field(
        "",
        description="Address under which people and CI reach the server; pages are refused from any other origin. Default: loopback on the port.",
    )
    data_dir: Path = Field(Path("data"), description="Folder of the SQLite database and the key file.")
    database_url: DatabaseAddress = Field(
        "", description="`postgresql://…` to use PostgreSQL. Default: SQLite in the data folder."
    )
    redis_url: str = Field(
        "",
        validation_alias=AliasChoices("BLAMETRAIL_REDIS_URL", "REFLEX_REDIS_URL"),
        description="Redis for page state, rate limits and live messages when several processes serve.",
    )
    secret_keys: str = Field(
        "",
        description="Comma-separated secret keys of at least 32 characters, the current one first. Default: a key file, readable by its owner only, in the data folder.",
    )
    trusted_proxy_hops: int = Field(
        0, ge=0, le=10, description="How many proxies in front append to `X-Forwarded-For`; 0 takes the address of the socket."
    )
    ingest_rate_limit: Rate = Field("60/minute", description="Deploy posts allowed per client address.")
    test_rate_limit: Rate = Field("10/minute", description="Posts to the test route allowed per client address.")
    login_rate_limit: Rate = Field(
        "10/minute",
        description="Passwords that may be tried per account until one is right, and ten times as many per client address.",
    )
    alert_rate_limit: Rate = Field("1200/minute", description="Messages of alert sources allowed per client address.")
    api_rate_limit: Rate = Field("300/minute", description="Requests to the read API allowed per API token.")
    sockets_per_address: int = Field(
        100, ge=1, description="Pages that may be open at once per client address; an IPv6 /64 network counts as one."
    )
    smtp_url: str = Field("", description="`smtp://user:password@host:port` (or `smtps://`) to send invitations by e-mail.")
    mail_from: str = Field("blametrail@localhost", description="Sender of e-mails.")
    allowed_private_hosts: Hosts = Field(
        "",
        description="Comma-separated host names, addresses and networks (`10.0.0.0/8`) inside your own network that the server may call; all others there are refused.",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="`DEBUG`, `INFO`, `WARNING` or `ERROR`."
    )

    @property
    def base_url(self) -> str:
        """Where links that leave the page point to."""
        return self.public_url or f"http://127.0.0.1:{self.port}"

    @property
    def allowed_origins(self) -> tuple[str, ...]:
        """Origins whose pages may open a socket or send a form; never a wildcard."""
        loopback = (f"http://127.0.0.1:{self.port}", f"http://localhost:{self.port}")
        return (self.public_url,) if self.public_url else loopback

    @property
    def over_tls(self) -> bool:
        return self.base_url.startswith("https://")

    @property
    def sqlalchemy_url(self) -> str:
        """The database as SQLAlchemy names it, synchronous drivers only."""
        if not self.database_url:
            return f"sqlite:///{(self.data_dir / 'blametrail.db').resolve()}"
        scheme, _, rest = self.database_url.partition("://")
        return f"postgresql+psycopg://{rest}" if scheme in {"postgres", "postgresql"} else self.database_url


@cache
def settings() -> Settings:
    """The settings of this process."""
    return Settings()

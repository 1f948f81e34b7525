"""Settings, from `NURTURE_*` variables and a `.env` file. All problems come in one message, and never a secret."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterator, Mapping
from datetime import date
from enum import StrEnum
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import AfterValidator, BeforeValidator, Field, PrivateAttr, SecretStr, ValidationError
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from nurture.errors import ConfigurationError
from nurture.intake.imap import ImapAddress
from nurture.sending.relay import Relay

PREFIX = "NURTURE_"
SHORTEST_SECRET = 32
_DATABASE = re.compile(r"sqlite:///[^?]|postgres(ql)?(\+psycopg)?://", re.IGNORECASE)


class Delivery(StrEnum):
    """Where mail goes. Nothing leaves the machine unless `smtp` is asked for."""

    INBOX = "inbox"
    SMTP = "smtp"


def _split(value: Any) -> Any:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _web_address(value: str) -> str:
    if not value.startswith(("http://", "https://")):
        raise ValueError("must begin with https:// (or http:// on this machine)")
    return value.rstrip("/")


def _networks(values: list[str]) -> list[str]:
    for value in values:
        try:
            ip_network(value)
        except ValueError:
            raise ValueError(
                f"names {value[:60]!r}, which is no address or network, as 10.0.0.5 or 10.0.0.0/8"
            ) from None
    return values


def _secret_web_address(value: SecretStr | None) -> SecretStr | None:
    if value is not None:
        _web_address(value.get_secret_value())
    return value


def _strong(value: SecretStr | None) -> SecretStr | None:
    if value is not None and len(value.get_secret_value()) < SHORTEST_SECRET:
        raise ValueError(f"is too short; use {SHORTEST_SECRET} characters or more, for example from `nurture init`")
    return value


class Settings(BaseSettings):
    """Everything an operator can set. Frozen: read once, at the start."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid", hide_input_in_errors=True)

    database_url: SecretStr = Field(SecretStr("sqlite:///nurture.db"), description="SQLite file or PostgreSQL database")
    delivery: Delivery = Field(Delivery.INBOX, description="`inbox` keeps mail on this machine, `smtp` sends it")
    smtp_url: SecretStr | None = Field(None, description="the relay: smtps://user:password@host:465, or smtp:// on 587")
    base_url: Annotated[str, AfterValidator(_web_address)] = Field(
        "http://127.0.0.1:8025", description="where links in mails lead: unsubscribe, preferences, view in browser"
    )
    secret_key: Annotated[SecretStr | None, AfterValidator(_strong)] = Field(
        None, description="signs links and return paths; keep it, or links in old mails stop working"
    )
    old_secret_keys: Annotated[list[SecretStr], NoDecode, BeforeValidator(_split)] = Field(
        default_factory=list, description="former secret keys, comma-separated: still accepted, no longer used to sign"
    )
    trusted_proxies: Annotated[list[str], NoDecode, BeforeValidator(_split), AfterValidator(_networks)] = Field(
        default_factory=list,
        description="proxies (addresses or networks) whose word about the client's address is taken",
    )
    webhook_networks: Annotated[list[str], NoDecode, BeforeValidator(_split), AfterValidator(_networks)] = Field(
        default_factory=list,
        description="private addresses or networks that webhooks may call; all public ones may be called",
    )
    hubspot_token: SecretStr | None = Field(
        None, description="token of a HubSpot private app: its contacts come in, stage changes go out"
    )
    hubspot_url: Annotated[str, AfterValidator(_web_address)] = Field(
        "https://api.hubapi.com", description="where HubSpot's API is"
    )
    inbox: Path = Field(Path("inbox"), description="the Maildir of the local inbox")
    allow_list: Annotated[list[str], NoDecode, BeforeValidator(_split)] = Field(
        default_factory=list, description="if set, only these addresses (or *@domain) are ever mailed; for staging"
    )
    bounce_domain: str | None = Field(None, description="domain of return paths; the sender's domain if not set")
    feedback_maildir: Path | None = Field(
        None, description="a Maildir where bounces, complaints and unsubscribes by mail arrive; the daemon reads it"
    )
    feedback_imap: SecretStr | None = Field(
        None,
        description="the same on an IMAP server: imaps://user:password@host/INBOX; what was read is marked as seen",
    )
    webhook_ses: SecretStr | None = Field(None, description="Amazon SES: the ARN of the SNS topic that reports")
    webhook_mailgun: SecretStr | None = Field(None, description="Mailgun: the HTTP webhook signing key")
    webhook_postmark: SecretStr | None = Field(None, description="Postmark: user:password of the webhook's address")
    webhook_sendgrid: SecretStr | None = Field(
        None, description="SendGrid: the verification key of signed event webhooks"
    )
    webhook_mailjet: SecretStr | None = Field(None, description="Mailjet: user:password of the webhook's address")
    webhook_sparkpost: SecretStr | None = Field(None, description="SparkPost: user:password, or a token")
    dkim_domain: str | None = Field(None, description="sign with DKIM for this domain")
    dkim_selector: str | None = Field(None, description="selector of the DKIM key")
    dkim_key_file: Path | None = Field(None, description="private key in PEM, RSA (2048 bits or more) or Ed25519")
    mails_per_minute: int | None = Field(None, ge=1, description="the relay's limit, for all daemons together")
    mails_per_second: int | None = Field(None, ge=1, description="the same in any second; several limits all hold")
    warm_up_since: date | None = Field(
        None, description="the first day (UTC) of a new sender: few mails a day at first, half as many again each day"
    )
    warm_up_first_day: int = Field(200, ge=1, description="how many mails go on the first day of the warm-up")
    per_domain: int = Field(5, ge=1, le=100, description="how many connections at once for one mailbox provider")
    storm_percent: int = Field(
        5, ge=1, le=100, description="pause a mailbox provider or campaign that refuses us more often, see feedback.md"
    )
    storm_mails: int = Field(100, ge=10, description="of so many mails, if there were fewer")
    log_format: str = Field("auto", pattern="^(auto|text|json)$", description="`text`, `json`, or `auto`: by terminal")
    log_addresses: bool = Field(False, description="write addresses to the log in clear instead of a keyed hash")
    heartbeat_url: Annotated[SecretStr | None, AfterValidator(_secret_web_address)] = Field(
        None, description="asked every minute while all is well, with `/fail` behind it while something needs a person"
    )
    retention_days: int = Field(730, ge=30, description="how long the ledger and settled deliveries are kept")

    _environment: dict[str, SecretStr] = PrivateAttr(default_factory=dict)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the signature is pydantic's
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what `load` hands over: one door, so that every value has passed the same check."""
        return (init_settings,)

    def remember(self, environment: Mapping[str, str]) -> None:
        """Variables that are no settings, for `named_secret`."""
        self._environment.update({name: SecretStr(value) for name, value in environment.items()})

    def named_secret(self, name: str) -> str | None:
        """A secret that campaign files know by the name of its variable only; None if it is not set."""
        value = self._environment.get(name)
        return value.get_secret_value() if value is not None else None

    def secrets(self) -> list[str]:
        """The key that signs and those that still verify."""
        if self.secret_key is None:
            raise ConfigurationError(
                "NURTURE_SECRET_KEY is not set; `nurture init` writes one, or use any long random text"
            )
        return [self.secret_key.get_secret_value(), *(key.get_secret_value() for key in self.old_secret_keys)]


def load(env_file: Path | None = None, environ: Mapping[str, str] | None = None) -> Settings:
    """Read `.env` (if it is there) and the environment, which wins. Raises ConfigurationError listing every problem."""
    merged = _merged(env_file, os.environ if environ is None else environ)
    values: dict[str, Any] = {
        name[len(PREFIX) :].lower(): value for name, value in merged.items() if name.startswith(PREFIX)
    }
    problems = [_unknown(name) for name in values if name not in Settings.model_fields]
    known = {name: value for name, value in values.items() if name in Settings.model_fields and value != ""}
    wrong: set[str] = set()
    try:
        settings = Settings(**known)
    except ValidationError as error:
        details = error.errors(include_input=False, include_url=False)
        problems += [_told(detail) for detail in details]
        wrong = {str(detail["loc"][0]) for detail in details}
        settings = Settings(**{name: value for name, value in known.items() if name not in wrong})
    problems += [text for names, text in _disagreements(settings) if not names & wrong]
    if problems:
        raise ConfigurationError(
            "the configuration has problems:\n" + "\n".join(f"  {problem}" for problem in problems)
        )
    settings.remember({name: value for name, value in merged.items() if value and not name.startswith(PREFIX)})
    return settings


def _merged(env_file: Path | None, environ: Mapping[str, str]) -> dict[str, str]:
    path = env_file or Path(".env")
    if env_file is not None and not env_file.is_file():
        raise ConfigurationError(f"{env_file}: no such file; --env-file must name one")
    read = dotenv_values(path, interpolate=False) if path.is_file() else {}
    return {**{name: value or "" for name, value in read.items()}, **environ}


def _unknown(name: str) -> str:
    near = difflib.get_close_matches(name, Settings.model_fields, n=1)
    hint = f"; did you mean {PREFIX}{near[0].upper()}?" if near else ""
    return f"{PREFIX}{name.upper()} is not a setting{hint}"


def _told(detail: Any) -> str:
    name = PREFIX + "_".join(str(part) for part in detail["loc"][:1]).upper()
    message = str(detail["msg"]).removeprefix("Value error, ")
    return f"{name} {_lowered(message)}"


def _lowered(message: str) -> str:
    return message[:1].lower() + message[1:]


def _is_here(address: str) -> bool:
    return (urlsplit(address).hostname or "") in {"127.0.0.1", "localhost", "::1"}


def _disagreements(settings: Settings) -> Iterator[tuple[set[str], str]]:
    """What single values cannot show, with the settings it is about: those that need each other, and addresses."""
    if not _DATABASE.match(settings.database_url.get_secret_value()):
        yield {"database_url"}, "NURTURE_DATABASE_URL must be sqlite:///FILE or postgresql://user:password@host/name"
    if settings.feedback_imap is not None:
        try:
            ImapAddress.parse(settings.feedback_imap.get_secret_value())
        except ConfigurationError as error:
            yield {"feedback_imap"}, f"NURTURE_FEEDBACK_IMAP: {error}"
    if settings.delivery is Delivery.SMTP:
        yield from _sending(settings)
    dkim = (settings.dkim_domain, settings.dkim_selector, settings.dkim_key_file)
    if any(dkim) and not all(dkim):
        yield (
            {"dkim_domain", "dkim_selector", "dkim_key_file"},
            "NURTURE_DKIM_DOMAIN, NURTURE_DKIM_SELECTOR and NURTURE_DKIM_KEY_FILE belong together: set all or none",
        )
    if settings.dkim_key_file is not None and not settings.dkim_key_file.is_file():
        yield {"dkim_key_file"}, f"NURTURE_DKIM_KEY_FILE names {settings.dkim_key_file}, which is not a file"


def _sending(settings: Settings) -> Iterator[tuple[set[str], str]]:
    if settings.secret_key is None:
        yield {"secret_key"}, "NURTURE_SECRET_KEY must be set when NURTURE_DELIVERY is smtp"
    if settings.smtp_url is None:
        yield {"smtp_url"}, "NURTURE_SMTP_URL must be set when NURTURE_DELIVERY is smtp"
        return
    url = settings.smtp_url.get_secret_value()
    try:
        Relay.parse(url)
    except ConfigurationError as error:
        yield {"smtp_url"}, f"NURTURE_SMTP_URL: {_lowered(str(error))}".replace("\n", "\n  ")
        return
    if _is_here(settings.base_url) and not _is_here(url):
        yield (
            {"base_url"},
            "NURTURE_BASE_URL leads to this machine, so nobody could unsubscribe; set the public address",
        )

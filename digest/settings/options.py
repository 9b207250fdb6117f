"""The options: the fields below *are* the table (name, type, default and help of each option, once)."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource
from pydantic_settings import SettingsConfigDict as SettingsConfig

from digest.links import SHORTEST_KEY
from digest.model import Detail, Publication, Schedule
from digest.settings.values import (
    BaseUrl,
    Duration,
    KindList,
    Mailbox,
    SecretList,
    WebAddress,
    WordList,
    as_value_error,
    mailbox,
)
from digest.slots import SendWindow, schedule_of, window_of

ENV_PREFIX = "DIGEST_"


class Section(BaseModel):
    """Options under one heading of digest.toml."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=False, validate_default=True)


class PublicationSettings(Section):
    """Who publishes: what readers see as the sender and at the foot of every letter."""

    name: str = Field(default="Council Digest", description="name of the service, also the sender's name")
    from_address: Mailbox = Field(
        default="digest@localhost", alias="from", description="address letters come from"
    )
    reply_to: Mailbox | None = Field(
        default=None, description="address that answers go to; none: the sender's"
    )
    postal_address: str = Field(
        default="", description="postal address at the foot (the law asks for one in places)"
    )
    support_line: str = Field(default="", description="one line about who helps, at the foot")
    contact: str = Field(default="", description="address or page for questions about personal data")
    logo: str | None = Field(default=None, description="https address of a PNG, at most 200 px high")
    colours: dict[str, str] = Field(default={}, description='colours by name, as accent = "#1d5b79"')

    @field_validator("reply_to", mode="before")
    @classmethod
    def _or_nobody(cls, value: object) -> object:
        return value or None


class ScheduleSettings(Section):
    """When digests come, unless a reader wishes otherwise, and when letters may leave."""

    cadence: Literal["daily", "weekly", "fortnightly", "monthly"] = Field(
        default="weekly", description="how often"
    )
    day: str = Field(default="sunday", description="weekday; for monthly 1 to 28 or first sunday")
    time: str = Field(default="18:00", description="local time on a quarter hour")
    timezone: str = Field(default="Europe/London", description="IANA time zone")
    send_between: str = Field(default="06:00-22:00", description="local hours in which letters may leave")
    late_limit: Duration | None = Field(
        default=None,
        description="a run later than this waits for the next allowed time; none: half its cadence",
    )
    stale_after: Duration = Field(
        default=timedelta(hours=48), description="an unfinished run is closed after this"
    )

    @model_validator(mode="after")
    def _can_be_kept(self) -> Self:
        self.schedule_value()
        self.window()
        return self

    def schedule_value(self) -> Schedule:
        """The default schedule of a reader."""
        day = "" if self.cadence == "daily" else self.day
        return as_value_error(lambda: schedule_of(self.cadence, day, self.time, self.timezone))

    def window(self) -> SendWindow:
        """The local hours in which letters may leave."""
        return as_value_error(lambda: window_of(self.send_between))


class DigestSettings(Section):
    """What a letter holds."""

    horizon: Duration = Field(default=timedelta(days=14), description="how far ahead meetings are listed")
    detail: Detail = Field(
        default=Detail.BRIEF, description="headline, brief or full, unless a reader wishes otherwise"
    )
    # At least 40: with nothing but its frame and notes a letter takes up to 26 kB.
    size_kb: int = Field(default=80, ge=40, le=100, description="HTML budget; Gmail clips near 102 kB")
    look_back: Duration = Field(
        default=timedelta(days=28), description="most that a letter covers after a pause"
    )
    archive_after: Duration = Field(
        default=timedelta(days=60), description="a summary of an older meeting is published but not mailed"
    )
    start_back_days: int = Field(
        default=3, ge=0, le=28, description="how far back a new reader's first letter goes"
    )
    enable_back: Duration = Field(
        default=timedelta(days=14), description="the same when a council gets full support"
    )
    processes: int = Field(
        default=0,
        ge=0,
        le=64,
        description="that compose and hand over the letters of a run; 0: one a core, at most 4",
    )


class FeedSettings(Section):
    """How feeds are polled."""

    contact: str = Field(default="", description="address or page in the User-Agent, for the councils' staff")
    concurrency: int = Field(default=8, ge=1, le=256, description="hosts polled at the same time")
    host_pause_s: float = Field(default=5.0, ge=0, description="pause between two requests to one host")
    max_bytes: int = Field(default=5_000_000, ge=10_000, description="a larger body is refused")
    connect_timeout_s: float = Field(default=10.0, gt=0, description="to connect")
    read_timeout_s: float = Field(default=20.0, gt=0, description="for one read")
    total_timeout_s: float = Field(default=60.0, gt=0, description="for one feed, redirects included")
    parse_timeout_s: float = Field(
        default=10.0, gt=0, description="for the child process that parses one feed"
    )
    min_interval: Duration = Field(
        default=timedelta(minutes=30), description="a feed is never polled more often"
    )
    max_interval: Duration = Field(
        default=timedelta(hours=24), description="a feed is polled at least this often"
    )
    allow_private_addresses: bool = Field(
        default=False, description="feeds on this machine and in private networks"
    )


class SummarySettings(Section):
    """Where summaries come from."""

    inbox: Path | None = Field(default=None, description="watched folder; files end as .done or .refused")


_LONGEST_LAG = timedelta(hours=24)


class SendGridSettings(Section):
    """Hand-over to SendGrid."""

    api_key: SecretStr | None = Field(
        default=None,
        description="API key that may send mail, and read suppressions and Email Logs; also SENDGRID_API_KEY",
    )
    base_url: WebAddress = Field(
        default="https://api.sendgrid.com", description="EU subusers: https://api.eu.sendgrid.com"
    )
    batch_size: int = Field(default=500, ge=1, le=1000, description="letters in one request")
    connections: int = Field(default=4, ge=1, le=64, description="requests at the same time, of one process")
    letters_per_hour: int | None = Field(
        default=None, ge=1, description="most letters an hour; none: no limit"
    )
    spread: Duration = Field(
        default=timedelta(minutes=4),
        description="a larger run whose slot is a full hour begins up to this much later; 0s: at once",
    )
    not_sent_after: Duration | None = Field(
        default=timedelta(hours=4),
        description="doubtful letters that Email Logs lack after this (at most 24h) go again; or never",
    )
    webhook_public_key: str = Field(default="", description="public key of the signed Event Webhook")

    connect_timeout_s: float = Field(default=10.0, gt=0, description="to connect")
    read_timeout_s: float = Field(
        default=60.0, gt=0, description="to wait for an answer; later it is in doubt"
    )

    @field_validator("not_sent_after", mode="before")
    @classmethod
    def _or_never(cls, value: object) -> object:
        return None if str(value).strip().lower() == "never" else value

    @field_validator("not_sent_after")
    @classmethod
    def _while_logs_remember(cls, value: timedelta | None) -> timedelta | None:
        if value is not None and value > _LONGEST_LAG:
            raise ValueError("write at most 24h, since Email Logs forget, or never")
        return value


class SmtpSettings(Section):
    """Hand-over to a mail server."""

    host: str = Field(default="localhost", description="name of the server")
    port: int = Field(default=587, ge=1, le=65535, description="587 with starttls, 465 with tls")
    security: Literal["starttls", "tls", "none"] = Field(
        default="starttls", description="starttls, tls or none"
    )
    username: str = Field(default="", description="empty: no log-in")
    password: SecretStr | None = Field(default=None, description="password of the log-in")
    timeout_s: float = Field(default=60.0, gt=0, description="for one answer of the server")
    connections: int = Field(default=2, ge=1, le=64, description="connections at the same time")
    batch_size: int = Field(default=1, ge=1, le=1000, description="letters that share one outcome")


class OutboxSettings(Section):
    """Letters as files: the sender that needs no account."""

    directory: Path = Field(
        default=Path("outbox"), description="letters are written to <directory>/<run>/<delivery>.eml"
    )
    batch_size: int = Field(default=500, ge=1, le=1000, description="letters in one claimed batch")


class SafetySettings(Section):
    """What keeps letters in until somebody meant it."""

    live: bool = Field(default=False, description="false: only addresses on the allow-list get real mail")
    allow_list: WordList = Field(
        default=(), description="addresses, and domains as @example.org, that get mail anyway"
    )
    max_growth: float = Field(
        default=2.0, gt=1, description="a run this many times the last one waits for approval"
    )
    growth_from: int = Field(default=500, ge=0, description="smaller runs never wait for approval")
    max_refused: float = Field(
        default=0.05, gt=0, le=1, description="share of refused letters that pauses a run"
    )
    refused_from: int = Field(default=20, ge=1, description="fewer refused letters never pause a run")
    max_doubtful: int = Field(default=3, ge=1, description="doubtful answers in a row that pause a run")

    @field_validator("allow_list")
    @classmethod
    def _are_addresses_or_domains(cls, entries: tuple[str, ...]) -> tuple[str, ...]:
        for entry in entries:
            try:
                mailbox(f"anybody{entry}" if entry.startswith("@") else entry)
            except ValueError as error:
                raise ValueError(f'{entry!r} is neither an address nor a domain as "@example.org"') from error
        return entries


class DispatchSettings(Section):
    """How letters are claimed."""

    claim_size: int = Field(default=5000, ge=1, description="most letters in one claim")
    hold_s: float = Field(default=300.0, ge=10, description="a claim is somebody's for this long")


class RetentionSettings(Section):
    """How long what is no longer needed is kept."""

    pages: Duration = Field(default=timedelta(days=400), description="rendered letters")
    deliveries: Duration = Field(
        default=timedelta(days=400), description="who got which letter; the counts stay for ever"
    )
    unconfirmed: Duration = Field(default=timedelta(days=7), description="addresses that never confirmed")
    events: Duration = Field(default=timedelta(days=90), description="raw provider events")
    left: Duration = Field(default=timedelta(days=28), description="addresses of who left")


class QueueSettings(Section):
    """Who does the work of a national service."""

    engine: Literal["local", "procrastinate"] = Field(
        default="local", description="procrastinate needs PostgreSQL"
    )
    wake_s: float = Field(default=5.0, ge=0.05, description="the scheduler looks for what is due this often")
    parts: int = Field(default=4, ge=1, le=256, description="jobs that share one large run")


class TierSettings(Section):
    """What readers of one tier may have; applied whenever wishes are taken in."""

    max_councils: int | None = Field(
        default=None, ge=1, description="most councils that a reader may follow; none: no limit"
    )
    max_words: int | None = Field(
        default=None, ge=0, description="most topics, keywords and wards together; none: no limit"
    )
    max_detail: Detail = Field(
        default=Detail.FULL, description="headline, brief or full: a wish for more is lowered to it"
    )
    kinds: KindList = Field(
        default=(), description="of decisions, coming_up, papers, changes: the others are left out; none: all"
    )


class TiersSettings(Section):
    """The tiers by name."""

    resident: TierSettings = TierSettings()
    professional: TierSettings = TierSettings()


class Settings(BaseSettings):
    """All options, frozen. Secrets are `SecretStr`: they never show in a repr, log or traceback."""

    model_config = SettingsConfig(
        env_prefix=ENV_PREFIX, env_nested_delimiter="__", frozen=True, extra="forbid", validate_default=True
    )

    database_url: str = Field(default="sqlite:///digest.db", description="sqlite:///file or postgresql://…")
    base_url: BaseUrl = Field(
        default="http://localhost:8000", description="web address that links in letters begin with"
    )
    secret_key: SecretStr = Field(default=SecretStr(""), description="signs links; made by `digest init`")
    old_secret_keys: SecretList = Field(default=(), description="earlier keys; their links still work")
    suppression_key: SecretStr = Field(
        default=SecretStr(""), description="made by `digest init`; never change it"
    )
    sender: Literal["outbox", "smtp", "sendgrid"] = Field(
        default="outbox", description="outbox, smtp or sendgrid"
    )
    templates: Path | None = Field(
        default=None, description="your own templates, laid over the packaged ones file by file"
    )
    publication: PublicationSettings = PublicationSettings()
    schedule: ScheduleSettings = ScheduleSettings()
    digest: DigestSettings = DigestSettings()
    tiers: TiersSettings = TiersSettings()
    feeds: FeedSettings = FeedSettings()
    summaries: SummarySettings = SummarySettings()
    sendgrid: SendGridSettings = SendGridSettings()
    smtp: SmtpSettings = SmtpSettings()
    outbox: OutboxSettings = OutboxSettings()
    safety: SafetySettings = SafetySettings()
    dispatch: DispatchSettings = DispatchSettings()
    retention: RetentionSettings = RetentionSettings()
    queue: QueueSettings = QueueSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what `load_settings` was given: no process environment, no dotenv files."""
        return (init_settings,)

    @model_validator(mode="after")
    def _can_queue(self) -> Self:
        if self.queue.engine == "procrastinate" and self.database_url.startswith("sqlite"):
            raise ValueError(
                'queue.engine = "procrastinate" needs PostgreSQL: name one in database_url '
                '(`digest db copy --to` moves everything there), or write queue.engine = "local"'
            )
        return self

    @field_validator("secret_key", "suppression_key", "old_secret_keys")
    @classmethod
    def _is_long_enough(cls, value: SecretStr | tuple[SecretStr, ...]) -> SecretStr | tuple[SecretStr, ...]:
        keys = value if isinstance(value, tuple) else (value,)
        if any(0 < len(key.get_secret_value()) < SHORTEST_KEY for key in keys):
            raise ValueError(f"a key has at least {SHORTEST_KEY} characters; `digest init` makes one")
        return value

    def publication_value(self) -> Publication:
        """The publication as letters speak of it."""
        of = self.publication
        return Publication(
            name=of.name, from_address=of.from_address, base_url=self.base_url, reply_to=of.reply_to,
            postal_address=of.postal_address, support_line=of.support_line, contact=of.contact,
            logo_url=of.logo, colours=dict(of.colours),
        )  # fmt: skip

"""The hall: settings -> edges -> corridors. The one place that knows which edge serves which corridor.

Everything is made when first asked for, so `digest council list` never compiles a template.
"""

from __future__ import annotations

import os
import random
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from digest.errors import SettingsError, TemplateError
from digest.links import Signer
from digest.model import Edition, Page, Publication, RunKind, Tier, WishKind
from digest.resources import resource_dir
from digest.settings import Settings

if TYPE_CHECKING:
    from digest.compose.profile import Limits as TierLimits
    from digest.deliver.evidence import SendGridRecords
    from digest.intake.child import ParserPool
    from digest.intake.fetch import Fetcher
    from digest.intake.schedule import Intervals
    from digest.pipeline.compose import Limits
    from digest.pipeline.holder import Desk, Sender
    from digest.pipeline.plan import Rules
    from digest.pipeline.run import Works
    from digest.pipeline.taking import Roster
    from digest.render.notice import NoticeFacts
    from digest.render.skeleton import Skeleton
    from digest.store.database import Database

FULL_ITEMS = 5
MAX_ITEMS = 40
MOST_PROCESSES = 4  # of one run: more would wait for the one writer that a database has


@dataclass
class Hall:
    """One installation: its settings and a clock, and whatever is built from them. Close it when done."""

    settings: Settings
    clock: Callable[[], datetime]
    has_file: bool = True
    _open: list[Callable[[], None]] = field(default_factory=list)

    @cached_property
    def database(self) -> Database:
        """The database of ``database_url``; nothing is opened yet."""
        from digest.store.database import Database

        database = Database(self.settings.database_url)
        self._open.append(database.close)
        return database

    @cached_property
    def publication(self) -> Publication:
        """Who publishes."""
        return self.settings.publication_value()

    @cached_property
    def signer(self) -> Signer:
        """Signs and reads links. Raises: SettingsError without a secret_key."""
        key = self.settings.secret_key.get_secret_value()
        if not key:
            raise self._missing("secret_key")
        return Signer(key, [old.get_secret_value() for old in self.settings.old_secret_keys])

    @property
    def suppression_key(self) -> str:
        """Keys the fingerprints of suppressed addresses. Raises: SettingsError without one."""
        key = self.settings.suppression_key.get_secret_value()
        if not key:
            raise self._missing("suppression_key")
        return key

    def _missing(self, what: str) -> SettingsError:
        if self.has_file:
            return SettingsError(f"{what} is missing: `digest init` makes a digest.toml with one")
        return SettingsError(
            f"{what} is missing, since there is no digest.toml in {Path.cwd()}: go to the folder of your "
            "installation or give --config; `digest init` begins a new one"
        )

    @cached_property
    def skeleton(self) -> Skeleton:
        """The compiled templates. Raises: TemplateError; SettingsError without the operator's folder."""
        from digest.render.skeleton import compile_skeleton

        return compile_skeleton(template_sources(self.settings.templates), self.publication)

    def printer(self, edition: Edition) -> Page:
        """An edition as a page."""
        from digest.render.page import render_page

        return render_page(edition, self.skeleton, max_bytes=self.max_bytes)

    def notice_printer(self, kind: RunKind, facts: NoticeFacts) -> Page:
        """A notice as a page."""
        from digest.render.notice import render_notice

        return render_notice(kind, facts, self.skeleton)

    @property
    def max_bytes(self) -> int:
        """The most that a letter's HTML, or its text, may take with everything filled in."""
        return self.settings.digest.size_kb * 1000

    @cached_property
    def limits(self) -> Limits:
        """Size and reach of editions."""
        from digest.pipeline.compose import Limits

        of = self.settings.digest
        silent_after = timedelta(days=3)
        return Limits(of.horizon, of.look_back, FULL_ITEMS, MAX_ITEMS, silent_after, tiers=self.tiers)

    @cached_property
    def tiers(self) -> dict[Tier, TierLimits]:
        """What readers of each tier may have."""
        from digest.compose.profile import Limits as TierLimits

        of = self.settings.tiers
        return {
            tier: TierLimits(
                one.max_detail, one.max_councils, one.max_words, frozenset(one.kinds or tuple(WishKind))
            )
            for tier, one in ((Tier.RESIDENT, of.resident), (Tier.PROFESSIONAL, of.professional))
        }

    @property
    def roster(self) -> Roster:
        """What taking people in works with. Raises: SettingsError without a suppression_key."""
        from digest.pipeline.roster_rows import Defaults
        from digest.pipeline.taking import Roster

        of = self.settings
        defaults = Defaults(of.schedule.schedule_value(), of.digest.detail, self.tiers)
        return Roster(self.database, self.suppression_key, defaults, of.digest.start_back_days)

    @cached_property
    def rules(self) -> Rules:
        """When runs are due and how they are cut."""
        from digest.pipeline.plan import Rules

        of = self.settings.schedule
        return Rules(
            send_between=of.window(),
            stale_after=of.stale_after,
            batch_size=self.sender.batch_size,
            start_back_days=self.settings.digest.start_back_days,
            late_limit=of.late_limit,
        )

    @cached_property
    def sender(self) -> Sender:
        """The way letters leave, as ``sender`` and ``safety.live`` say."""
        from digest.deliver.outbox import Outbox
        from digest.pipeline.safety import AllowList, NotLive

        of = self.settings.outbox
        outbox = Outbox(of.directory, batch_size=of.batch_size)
        sender: Sender = outbox
        if self.settings.sender != "outbox":
            sender = self._sendgrid() if self.settings.sender == "sendgrid" else self._smtp()
            if not self.settings.safety.live:
                sender = NotLive(sender, outbox, AllowList(self.settings.safety.allow_list))
        self._open.append(sender.close)
        return sender

    def _sendgrid(self) -> Sender:
        from digest.deliver.sendgrid import SendGrid

        of = self.settings.sendgrid
        return SendGrid(
            of.api_key.get_secret_value() if of.api_key else "",
            base_url=of.base_url,
            batch_size=of.batch_size,
            connect_timeout_s=of.connect_timeout_s,
            read_timeout_s=of.read_timeout_s,
        )

    def _smtp(self) -> Sender:
        from digest.deliver.smtp import Server, Smtp

        of = self.settings.smtp
        password = of.password.get_secret_value() if of.password else ""
        server = Server(of.host, of.port, of.security, of.username, password, of.timeout_s)
        return Smtp(server, batch_size=of.batch_size)

    @cached_property
    def desk(self) -> Desk:
        """What dispatch works with."""
        from digest.pipeline.holder import Desk

        return Desk(
            sender=self.sender,
            publication=self.publication,
            signer=self.signer,
            holder=holder_name(),
            clock=self.clock,
            is_alive=is_alive,
            claim_size=self.settings.dispatch.claim_size,
            hold=timedelta(seconds=self.settings.dispatch.hold_s),
            most_doubts=self.settings.safety.max_doubtful,
            most_refusals=self.settings.safety.refused_from,
            most_refused_share=self.settings.safety.max_refused,
            letters_per_hour=(
                self.settings.sendgrid.letters_per_hour if self.settings.sender == "sendgrid" else None
            ),
            dice=random.SystemRandom().random,
            spread=self._spread(),
            at_once=self._at_once(),
            send_between=self.rules.send_between,
        )

    def _at_once(self) -> int:
        """Answers of a provider take time; a file does not."""
        of = self.settings
        return {"smtp": of.smtp.connections, "sendgrid": of.sendgrid.connections}.get(of.sender, 1)

    def _spread(self) -> timedelta:
        """Only where real mail goes through a provider: nobody else minds the full hour."""
        of = self.settings
        is_mail = of.sender == "sendgrid" and of.safety.live and reaches_people(of)
        return of.sendgrid.spread if is_mail else timedelta(0)

    @cached_property
    def works(self) -> Works:
        """All that `digest run` needs."""
        from digest.pipeline.audiences import Notices
        from digest.pipeline.run import Works
        from digest.pipeline.safety import Growth

        of = self.settings.safety
        return Works(
            self.database,
            self.printer,
            self.rules,
            self.limits,
            self.desk,
            pause=time.sleep,
            growth=Growth(of.max_growth, of.growth_from),
            records=self.records,
            not_sent_after=self.settings.sendgrid.not_sent_after,
            notices=Notices(self.notice_printer, self.settings.suppression_key.get_secret_value()),
            processes=self.settings.digest.processes or min(os.cpu_count() or 1, MOST_PROCESSES),
            holder_name=holder_name,
        )

    @cached_property
    def records(self) -> SendGridRecords | None:
        """What the provider remembers; None where nobody could be asked.

        Nor while not live: then it knows few letters of a batch, and that it lacks the others means nothing.
        """
        if self.settings.sender != "sendgrid" or not self.settings.safety.live:
            return None
        return self.lists

    @cached_property
    def lists(self) -> SendGridRecords:
        """The provider's records and lists, live or not. Raises: SettingsError for another sender."""
        if self.settings.sender != "sendgrid":
            raise SettingsError(f'sender is "{self.settings.sender}": only SendGrid keeps lists to ask for')
        from digest.deliver.evidence import SendGridRecords
        from digest.deliver.sendgrid import transport_of

        of = self.settings.sendgrid
        transport = transport_of(
            of.api_key.get_secret_value() if of.api_key else "",
            base_url=of.base_url,
            connect_timeout_s=of.connect_timeout_s,
            read_timeout_s=of.read_timeout_s,
        )
        self._open.append(transport.close)
        return SendGridRecords(transport)

    @cached_property
    def fetcher(self) -> Fetcher:
        """Asks feeds, politely and guarded."""
        from digest.intake.fetch import Fetcher, FetchLimits

        of = self.settings.feeds
        limits = FetchLimits(
            connect_s=of.connect_timeout_s,
            read_s=of.read_timeout_s,
            total_s=of.total_timeout_s,
            raw_bytes=of.max_bytes,
            host_pause_s=of.host_pause_s,
        )
        fetcher = Fetcher(
            contact=of.contact,
            limits=limits,
            allow_private_addresses=of.allow_private_addresses,
            now=self.clock,
        )
        self._open.append(fetcher.close)
        return fetcher

    @cached_property
    def parser(self) -> ParserPool:
        """Parses feeds in bounded child processes."""
        from digest.intake.child import ParserPool

        pool = ParserPool(min(os.cpu_count() or 1, 4), wall_s=self.settings.feeds.parse_timeout_s)
        self._open.append(pool.close)
        return pool

    @cached_property
    def intervals(self) -> Intervals:
        """How often feeds are polled."""
        from digest.intake.schedule import Intervals

        of = self.settings.feeds
        return Intervals(
            least_s=int(of.min_interval.total_seconds()), most_s=int(of.max_interval.total_seconds())
        )

    def close(self) -> None:
        """Let go of everything that was built. Twice is harmless."""
        while self._open:
            self._open.pop()()


def template_sources(own: Path | None = None) -> dict[str, str]:
    """The texts of templates/email by path, an operator's own laid over them file by file.

    ``own`` is a folder like ``templates`` (its ``email`` counts), or like ``templates/email``.

    Raises: SettingsError without such a folder, TemplateError for a file that cannot be read.
    """
    found = _texts(resource_dir("templates") / "email", shown="")
    if own is None:
        return found
    if not own.is_dir():
        raise SettingsError(f"templates: there is no folder {own}: make it, or take the option out")
    email = own / "email"
    return found | _texts(email if email.is_dir() else own, shown=f"{own.name}/")


def _texts(folder: Path, *, shown: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix not in (".mjml", ".txt", ".po"):
            continue
        name = path.relative_to(folder).as_posix()
        try:
            found[name] = path.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise TemplateError(f"{shown}{name} cannot be read ({error}): save it as UTF-8 text") from error
    return found


def live_place(settings: Settings) -> str | None:
    """Where letters go, as "sendgrid:api.sendgrid.com"; None where none leaves as mail."""
    if settings.sender == "outbox" or not settings.safety.live:
        return None
    if settings.sender == "sendgrid":
        return f"sendgrid:{urlsplit(settings.sendgrid.base_url).netloc}"
    return f"smtp:{settings.smtp.host}:{settings.smtp.port}"


def reaches_people(settings: Settings) -> bool:
    """Whether letters can leave this machine: not with the outbox, nor with a provider on the loopback."""
    if settings.sender == "sendgrid":
        return urlsplit(settings.sendgrid.base_url).hostname not in ("127.0.0.1", "localhost", "::1")
    return settings.sender == "smtp"


# --- whose claim is it -----------------------------------------------------------------------------


def holder_name() -> str:
    """This process, so that another on the same machine can tell whether it still runs."""
    pid = os.getpid()
    return f"{_machine()}/{pid}/{_started(pid) or 0}"


def is_alive(holder: str) -> bool:
    """Whether the holder's process may still run: True for another machine's, where it cannot be known."""
    machine, _, rest = holder.rpartition("/")[0].rpartition("/")
    started = holder.rpartition("/")[2]
    if machine != _machine() or not rest.isdigit() or started == "0":
        return True
    return _started(int(rest)) == started


def _machine() -> str:
    """Host, boot and process namespace: process numbers mean something only within all three."""
    boot = namespace = ""
    with suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        namespace = str(Path("/proc/self/ns/pid").readlink())
    return f"{socket.gethostname()}/{boot}/{namespace}"


def _started(pid: int) -> str | None:
    """When a process began, in the kernel's ticks (proc(5), field 22); None when it is gone or a zombie."""
    with suppress(OSError, IndexError):
        fields = (
            Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
        )
        return None if fields[0] == "Z" else fields[19]
    return None

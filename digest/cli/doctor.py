"""`digest doctor`: is this installation fit to write to people? Each fault with its mend."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

from digest.cli.entrance import FAILED, Entrance, print_json, print_table
from digest.errors import DigestError, SettingsError

if TYPE_CHECKING:
    from digest.deliver.transport import Transport
    from digest.wiring import Hall

LEAST_FREE_BYTES = 1_000_000_000
"""A run of a million letters writes about half of this (docs/scaling.md)."""
CLOCK_LATE = timedelta(minutes=15)
GOOD, LOOK, BAD = "good", "look", "bad"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was looked at, how it is (``good``, ``look`` at it, ``bad``), and what to do."""

    what: str
    state: str
    says: str


def register(app: typer.Typer) -> None:
    """Hang the command into the program."""
    app.command("doctor")(doctor)


def doctor(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Look at settings, database, templates, provider and disk, and say what to mend. Nothing is changed.

    Example: digest doctor
    """
    entrance: Entrance = context.obj
    with entrance.hall() as hall:
        found = [one for check in CHECKS for one in _tried(check, hall)]
    if as_json:
        print_json({"findings": [{"what": f.what, "state": f.state, "says": f.says} for f in found]})
    else:
        print_table(["what", "", "it says"], [[f.what, f.state, f.says] for f in found])
    if any(one.state == BAD for one in found):
        raise SystemExit(FAILED)


def _tried(check: Callable[[Hall], Iterator[Finding]], hall: Hall) -> Iterator[Finding]:
    """The check's findings; an error of the tree is one, and never stops the others."""
    try:
        yield from check(hall)
    except DigestError as error:
        yield Finding(check.__name__.strip("_").replace("_", " "), BAD, str(error))


def _keys(hall: Hall) -> Iterator[Finding]:
    _ = hall.signer, hall.suppression_key
    yield Finding("keys", GOOD, "links can be signed, suppressed addresses recognised")


def _addresses(hall: Hall) -> Iterator[Finding]:
    of = hall.publication
    parts = urlsplit(of.base_url)
    is_local = parts.hostname in ("localhost", "127.0.0.1", "::1")
    if is_local:
        yield Finding("base_url", LOOK, f"{of.base_url}: links in letters lead to this machine only")
    elif parts.scheme != "https":
        yield Finding("base_url", BAD, f"{of.base_url}: links in letters want https")
    else:
        yield Finding("base_url", GOOD, of.base_url)
    if "." in of.from_address.rpartition("@")[2]:
        yield Finding("publication.from", GOOD, of.from_address)
    else:
        yield Finding("publication.from", LOOK, f"{of.from_address}: providers want a domain of the internet")
    yield _wanted("publication.postal_address", of.postal_address, "a sender in bulk names its address")
    yield _wanted("publication.contact", of.contact, "readers want to know who answers about their data")
    yield _wanted("feeds.contact", hall.settings.feeds.contact, "councils want to know who reads their feeds")


def _wanted(what: str, value: str, why: str) -> Finding:
    return Finding(what, GOOD, value) if value else Finding(what, LOOK, f"is empty: {why}")


def _database(hall: Hall) -> Iterator[Finding]:
    from digest.store.invariants import broken

    wrong = list(hall.database.check())
    with hall.database.read() as connection:
        wrong += broken(connection)
    if not wrong:
        yield Finding("database", GOOD, f"{hall.database.shown_url}: nothing is wrong")
    for one in wrong:
        yield Finding("database", BAD, one)


def _templates(hall: Hall) -> Iterator[Finding]:
    from digest.web.pages import load_pages

    _ = hall.skeleton
    load_pages(hall.publication, own=hall.settings.templates)
    yield Finding("templates", GOOD, "letters and pages compile")


def _sender(hall: Hall) -> Iterator[Finding]:
    settings = hall.settings
    if settings.sender == "outbox":
        yield Finding(
            "sender", LOOK, f"outbox: letters are written to {settings.outbox.directory}, not mailed"
        )
        return
    if not settings.safety.live:
        allowed = len(settings.safety.allow_list)
        yield Finding("safety.live", LOOK, f"false: only the {allowed} on the allow-list get real mail")
    yield from (_sendgrid(hall) if settings.sender == "sendgrid" else _smtp(hall))


def _sendgrid(hall: Hall) -> Iterator[Finding]:
    import orjson

    from digest.deliver.sendgrid import transport_of

    of = hall.settings.sendgrid
    # First: it needs no answer of the provider.
    yield _webhook_key(of.webhook_public_key)
    transport = transport_of(
        of.api_key.get_secret_value() if of.api_key else "",
        base_url=of.base_url,
        connect_timeout_s=of.connect_timeout_s,
        read_timeout_s=of.read_timeout_s,
    )
    try:
        answer = transport.request("GET", "/v3/scopes")
        reads = [_may_read(transport, *what) for what in _READ] if answer.status == 200 else []
    finally:
        transport.close()
    yield from reads
    if answer.status == 200:
        scopes = set(orjson.loads(answer.body).get("scopes", ()))
        missing = sorted({"mail.send"} - scopes)
        yield Finding(
            "sendgrid", *((BAD, "the key may not send mail") if missing else (GOOD, "the key may send"))
        )
    elif answer.status in (401, 403):
        yield Finding("sendgrid", BAD, f"it answers {answer.status}: make a new key and put it into api_key")
    else:
        yield Finding(
            "sendgrid", LOOK, f"{of.base_url} answers {answer.status} when asked what the key may do"
        )


_READ: tuple[tuple[str, str, bytes | None, str], ...] = (
    (
        "suppression lists",
        "/v3/suppression/bounces?limit=1",
        None,
        "who bounced or complained is known from the webhook alone",
    ),
    (
        "Email Logs",
        "/v3/logs",
        b'{"query": "to_email = \\"nobody@test.example\\"", "limit": 1}',
        "letters in doubt are settled by events or by you",
    ),
)
"""What else the key is used for: a question that costs nothing, and what it means when it may not ask."""


def _may_read(transport: Transport, what: str, path: str, body: bytes | None, without: str) -> Finding:
    status = transport.request("GET" if body is None else "POST", path, body).status
    if status in (200, 429):
        return Finding(what, GOOD, "the key may read them")
    said = f"SendGrid answers {status}: {without}"
    return Finding(what, LOOK, f"{said}; give the key the right to read them")


def _webhook_key(key: str) -> Finding:
    from digest.deliver.events import Verifier

    what = "sendgrid.webhook_public_key"
    if not key:
        return Finding(what, BAD, "is empty: bounces and complaints are not heard")
    try:
        Verifier(key)
    except SettingsError as error:
        return Finding(what, BAD, str(error))
    return Finding(what, GOOD, "set")


def _smtp(hall: Hall) -> Iterator[Finding]:
    import smtplib

    of = hall.settings.smtp
    kind = smtplib.SMTP_SSL if of.security == "tls" else smtplib.SMTP
    try:
        with kind(of.host, of.port, timeout=of.timeout_s) as session:
            session.ehlo()
            if of.security == "starttls":
                session.starttls()
            if of.username:
                session.login(of.username, of.password.get_secret_value() if of.password else "")
    except (OSError, smtplib.SMTPException) as error:
        yield Finding(
            "smtp", BAD, f"{of.host}:{of.port} {type(error).__name__}: look at host, port and security"
        )
        return
    yield Finding("smtp", GOOD, f"{of.host}:{of.port} lets us in")


def _disk(hall: Hall) -> Iterator[Finding]:
    folder = _existing(hall.settings.outbox.directory.absolute())
    free = shutil.disk_usage(folder).free
    says = f"{free / 1e9:.1f} GB are free"
    yield Finding("disk", GOOD if free >= LEAST_FREE_BYTES else BAD, says)


def _existing(path: Path) -> Path:
    while not path.exists():
        path = path.parent
    return path


def _clock(hall: Hall) -> Iterator[Finding]:
    from digest.pipeline.status import status_of

    now, status = hall.clock(), status_of(hall.works)
    seen = status["scheduler_seen_at"]
    if seen is None:
        yield Finding("scheduler", LOOK, "was never seen: `digest scheduler`, or cron with poll and run")
    elif now - seen > CLOCK_LATE:
        yield Finding("scheduler", BAD, f"was last seen {seen:%d %B %Y %H:%M} UTC: start it again")
    else:
        yield Finding("scheduler", GOOD, "runs")
    for what in ("failing_tasks", "parked_tasks", "paused_runs"):
        for one in status[what]:
            yield Finding(what.replace("_", " "), BAD, one)
    if status["account_closed"]:
        yield Finding("account", BAD, status["account_closed"])
    for run, why in status["letters_dropped"].items():
        yield Finding("dropped letters", BAD, f"SendGrid accepted some of run {run} and dropped them: {why}")
    for slug, since in status["silent_since"].items():
        yield Finding("feeds", LOOK, f"{slug} is silent since {since}: `digest feed list`")


CHECKS = (_keys, _addresses, _database, _templates, _sender, _disk, _clock)

"""`digest notice …`: letters that are no digests; and the letters that one reader can be sent again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from digest.cli.entrance import (
    ACTOR,
    FAILED,
    Entrance,
    counted,
    print_facts,
    print_json,
    print_table,
    say,
    zulu,
)
from digest.cli.run_reports import document
from digest.cli.runs import confirm_first_live_run
from digest.cli.subscribers import subscriber
from digest.errors import UsageError

if TYPE_CHECKING:
    from digest.pipeline.notices import ToMany
    from digest.store.notices import Notice

notice = typer.Typer(help="Letters that are no digests: list, write, approve, send.", no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
NoticeId = Annotated[int, typer.Argument(metavar="NOTICE")]
Address = Annotated[str, typer.Argument(help="The reader's e-mail address.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say how many would get it, store nothing.")]


def register(app: typer.Typer) -> None:
    """Hang the commands into the program."""
    app.add_typer(notice, name="notice")


@notice.command("list")
def list_(
    context: typer.Context,
    with_personal: Annotated[
        bool, typer.Option("--personal", help="Also those to one person, as confirmations.")
    ] = False,
    as_json: Json = False,
) -> None:
    """The newest notices: what they are, whether they may go, which run took them.

    Example: digest notice list --json
    """
    from digest.store import notices

    entrance: Entrance = context.obj
    with entrance.hall() as hall, hall.database.read() as connection:
        found = notices.newest(connection, with_personal=with_personal)
    documents = [_document(one) for one in found]
    if as_json:
        print_json({"notices": documents})
        return
    columns = ("id", "kind", "state", "title", "created_at", "run")
    print_table([c.replace("_", " ") for c in columns], [[one[c] for c in columns] for one in documents])


def _document(one: Notice) -> dict[str, Any]:
    """A notice in the form of `notice list --json`; nobody's address."""
    about = ", ".join(one.facts.get("councils", ()))
    return {
        "id": one.id,
        "kind": one.kind.value,
        "state": one.state.value,
        "title": one.facts.get("title") or about or one.facts.get("council", ""),
        "councils": list(one.facts.get("councils", ())),
        "tier": one.facts.get("tier"),
        "created_at": zulu(one.created_at),
        "approved_at": zulu(one.approved_at),
        "run": one.run_id,
    }


@notice.command("show")
def show(context: typer.Context, notice_id: NoticeId, as_json: Json = False) -> None:
    """One notice, the letter as its readers get it, and how many that are or were.

    Example: digest notice show 1
    """
    from digest.pipeline import notices
    from digest.pipeline.run import report
    from digest.render.tags import neutral
    from digest.store import notices as stored

    entrance: Entrance = context.obj
    with entrance.hall() as hall:
        with hall.database.read() as connection:
            found = stored.notice_by_id(connection, notice_id)
        facts = _document(found)
        if found.run_id is not None:
            facts["letters"] = document(report(hall.database, found.run_id))
        if found.subscriber_id is None:
            page = neutral(notices.preview(hall.works, found), hall.publication.base_url)
            facts |= {"subject": page.subject, "text": page.text}
            if found.run_id is None:
                facts["readers"] = notices.audience_size(hall.works, notice_id)
    if as_json:
        print_json(facts)
        return
    text = facts.pop("text", "")
    print_facts(facts)
    if text:
        typer.echo(f"\n{text}")


@notice.command("service")
def service(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE.md", help="Markdown; its first line is # Title.")],
    council: Annotated[
        list[str] | None, typer.Option(help="Only readers of this council; may be repeated.")
    ] = None,
    tier: Annotated[str, typer.Option(help="Only resident or professional readers.")] = "",
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Write to all active readers, or some. It waits until `digest notice approve`; the same twice is one.

    Example: digest notice service moving.md --council stockport --dry-run
    """
    from digest.pipeline import notices

    words = _words(file, tuple(council or ()), tier)
    entrance: Entrance = context.obj
    with entrance.hall() as hall:
        readers = notices.size_of(hall.works, words)
        found = None if dry_run else notices.service(hall.works, words, actor=ACTOR)
    if as_json:
        print_json({"readers": readers} | ({"notice": _document(found)} if found else {}))
    elif found is None:
        say(f"{counted(readers, 'reader')} would get “{words.title}”; nothing was stored")
    else:
        say(f"notice {found.id}, “{words.title}”, to {counted(readers, 'reader')}, is {found.state}")
        say(f"`digest notice show {found.id}` shows it, `digest notice approve {found.id}` lets it go")


def _words(file: Path, councils: tuple[str, ...], tier: str) -> ToMany:
    from digest.model import Tier
    from digest.pipeline.notices import ToMany

    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"{file} cannot be read ({getattr(error, 'strerror', error)}): name a Markdown file in UTF-8"
        ) from error
    first, _, rest = text.lstrip().partition("\n")
    title = first.lstrip("#").strip()
    if not first.startswith("# ") or not title:
        raise UsageError(f"{file}:1: begin with the letter's subject as a heading: # Our new address")
    if tier and tier not in set(Tier):
        raise UsageError(f"--tier {tier!r} is unknown: use one of {', '.join(Tier)}")
    return ToMany(title, rest.strip(), councils, Tier(tier) if tier else None)


@notice.command("supported")
def supported(
    context: typer.Context,
    council: Annotated[str, typer.Argument(metavar="COUNCIL", help="Its slug.")],
    dry_run: DryRun = False,
) -> None:
    """Tell everybody who waits for a council that it has full support now; once a day at most.

    Example: digest notice supported marlow-vale
    """
    from digest.pipeline import notices

    entrance: Entrance = context.obj
    with entrance.hall() as hall:
        waiting = notices.waiting_for(hall.works, council)
        id_ = None if dry_run else notices.supported(hall.works, council)
    if dry_run:
        say(f"{counted(waiting, 'reader')} would be told of {council}; nothing was stored")
    elif id_ is None:
        say(f"{council}: who waits is told already, today")
    else:
        readers = counted(waiting, "reader")
        say(f"notice {id_}: {readers} will be told of {council} with the next `digest run`")


@notice.command("approve")
def approve(context: typer.Context, notice_id: NoticeId, dry_run: DryRun = False) -> None:
    """Let a notice go with the next `digest run` or `digest notice send`.

    Example: digest notice approve 1
    """
    from digest.pipeline import notices

    entrance: Entrance = context.obj
    with entrance.hall() as hall:
        if dry_run:
            readers = notices.audience_size(hall.works, notice_id)
            say(f"{counted(readers, 'reader')} would get notice {notice_id}; nothing was changed")
            return
        is_done = notices.approve(hall.database, notice_id, actor=ACTOR, now=hall.clock())
    say(f"notice {notice_id} may go" if is_done else f"notice {notice_id} was decided before")


@notice.command("drop")
def drop(context: typer.Context, notice_id: NoticeId) -> None:
    """A notice that no run has taken yet never goes.

    Example: digest notice drop 1
    """
    from digest.pipeline import notices
    from digest.store import notices as stored

    entrance: Entrance = context.obj
    with entrance.hall() as hall:
        is_done = notices.drop(hall.database, notice_id, actor=ACTOR, now=hall.clock())
        with hall.database.read() as connection:
            run = stored.notice_by_id(connection, notice_id).run_id
    if not is_done and run is not None:
        say(f"notice {notice_id} is on its way: `digest run cancel {run}` stops what has not left")
        raise SystemExit(FAILED)
    say(f"notice {notice_id} never goes" if is_done else f"notice {notice_id} was dropped before")


@notice.command("send")
def send(
    context: typer.Context,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before the first live run.")] = False,
    as_json: Json = False,
) -> None:
    """Hand over every notice that may go, and no digest; `digest run` does both.

    Example: digest notice send --json
    """
    from digest.pipeline.run import run_notices

    entrance: Entrance = context.obj
    with entrance.hall(runs_on=True) as hall:
        _ = hall.skeleton
        confirm_first_live_run(hall, yes=yes)
        reports = run_notices(hall.works)
    if as_json:
        print_json({"runs": [document(one) for one in reports]})
    else:
        for one in reports:
            n, due = one.counts["handed_over"], one.counts["due"]
            say(f"run {one.run.id} ({one.run.kind}): {n} of {due} handed over")
        if not reports:
            say("no notice may go: `digest notice list` shows what waits for approval")
    if not all(one.is_settled for one in reports):
        raise SystemExit(FAILED)


# --- one reader -------------------------------------------------------------------------------------------


@subscriber.command("link")
def link(context: typer.Context, address: Address, dry_run: DryRun = False) -> None:
    """Send a reader a new link to their choices; who has not confirmed is asked to confirm instead.

    Example: digest subscriber link ada@example.org
    """
    from digest.pipeline import notices
    from digest.store.subscribers import subscriber_by_address

    entrance: Entrance = context.obj
    with entrance.hall() as hall:
        with hall.database.read() as connection:
            subscriber_by_address(connection, address)  # an operator may be told that there is nobody
        is_wished = notices.send_link(hall.works, address, is_rehearsal=dry_run)
    _say_wished(address, is_wished, dry_run=dry_run)


@subscriber.command("ask")
def ask(context: typer.Context, address: Address, dry_run: DryRun = False) -> None:
    """Ask a pending reader (of an imported list, say) to confirm; again, ten minutes after the last time.

    Example: digest subscriber ask ada@example.org
    """
    from digest.pipeline import notices
    from digest.store.subscribers import subscriber_by_address

    entrance: Entrance = context.obj
    with entrance.hall() as hall:
        with hall.database.read() as connection:
            found = subscriber_by_address(connection, address)
        is_wished = notices.ask_to_confirm(hall.works, found.id, is_rehearsal=dry_run)
    _say_wished(address, is_wished, dry_run=dry_run)


def _say_wished(address: str, is_wished: bool, *, dry_run: bool) -> None:
    if not is_wished:
        say(f"{address} gets no letter: they left, are suppressed, or were written to a moment ago")
        raise SystemExit(FAILED)
    if dry_run:
        say(f"{address} would get a letter with the next `digest run`; nothing was changed")
    else:
        say(f"{address} gets a letter with the next `digest run` or `digest notice send`")

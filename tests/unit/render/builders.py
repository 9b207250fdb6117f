"""Editions made by hand, with the facts of a real meeting, for the render tests."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from functools import cache
from typing import Any

from digest.model import (
    Attendee,
    Condensed,
    Council,
    Decision,
    Detail,
    Document,
    DocumentKind,
    Edition,
    Entry,
    Folded,
    LineKind,
    Meeting,
    MeetingStatus,
    Origin,
    Place,
    Profile,
    Publication,
    Reason,
    Silence,
    Support,
    Waiting,
)
from digest.render.skeleton import Skeleton, compile_skeleton
from digest.resources import resource_dir

AS_OF = datetime(2025, 9, 7, 6, 0, tzinfo=UTC)
PUBLICATION = Publication(
    name="Council Digest",
    from_address="digest@council.example",
    base_url="https://digest.council.example",
    postal_address="1 Market Place, Exampleton EX1 1AA",
    support_line="Questions? Ring 0161 496 0000 on weekdays, 9am to 5pm.",
    contact="hello@council.example",
)
STOCKPORT = Council("stockport", "Stockport", website="https://www.stockport.gov.uk")
TREFYBONT = Council("tref-y-bont", "Tref-y-bont", languages=("cy", "en"))
MARLOW = Council("marlow-vale", "Marlow Vale", support=Support.LIMITED)
FULL_HTML = (
    "<p>The committee endorsed the <strong>Improvement and Impact Plan</strong> and looked hard at money "
    "for special "
    "educational needs.</p><h2>Where the money stands</h2><ul><li>The high needs deficit stood at "
    "<strong>£43 "
    "million</strong> and is expected to reach <strong>£63 million</strong> by March 2026.</li><li>About "
    "£1,100 a "
    "pupil, among the lowest in the country.</li></ul><p>See the <a "
    'href="https://www.stockport.gov.uk/send">council\'s '
    "page on SEND</a>.</p><h2>Faster answers</h2><ul><li>A contact form now takes 10 hours on average, not "
    "156.</li>"
    "<li>85% are authorised on the same day, up from 58%.</li></ul>"
)
BRIEF_HTML = (
    "<p>The committee endorsed the plan to lift children's services from “requires improvement”, and heard "
    "that the "
    "deficit for special educational needs keeps growing.</p><ul><li>The deficit of <strong>£43 "
    "million</strong> is "
    "expected to reach <strong>£63 million</strong> by March 2026.</li><li>A contact form now takes 10 "
    "hours on average, "
    "not 156.</li><li>85% of contacts are authorised on the same day, up from 58%.</li></ul>"
)
FULL_TEXT = (
    "The committee endorsed the Improvement and Impact Plan and looked hard at money for special "
    "educational needs.\n\n"
    "Where the money stands\n\n- The high needs deficit stood at £43 million and is expected to reach £63 "
    "million by "
    "March 2026.\n- About £1,100 a pupil, among the lowest in the country.\n\nFaster answers\n\n- A contact "
    "form now "
    "takes 10 hours on average, not 156.\n- 85% are authorised on the same day, up from 58%."
)
BRIEF_TEXT = (
    "The committee endorsed the plan to lift children's services from “requires improvement”, and heard "
    "that the "
    "deficit for special educational needs keeps growing.\n\n- The deficit of £43 million is expected to "
    "reach £63 "
    "million by March 2026.\n- A contact form now takes 10 hours on average, not 156.\n- 85% of contacts "
    "are authorised "
    "on the same day, up from 58%."
)
AGENDA = Document(DocumentKind.AGENDA, "Agenda, 3 September 2025", "https://democracy.stockport.gov.uk/a.pdf")
PACK = Document(DocumentKind.REPORTS_PACK, "Public reports pack", "https://democracy.stockport.gov.uk/p.pdf")
MINUTES = Document(DocumentKind.MINUTES, "Minutes, 11 June 2025", "https://democracy.stockport.gov.uk/m.pdf")
ATTENDEES = (
    Attendee("Councillor Colin Foster", "Chair", "Labour", "Heatons South"),
    Attendee("Councillor Holly McCormack", "Vice-Chair", "Independent", "Reddish North"),
    Attendee("Councillor Angie Clark", None, "Liberal Democrats", "Bredbury Green & Romiley"),
    Attendee("Jane Roe", "Co-opted member"),
)


@cache
def sources() -> dict[str, str]:
    """The packaged template texts."""
    folder = resource_dir("templates") / "email"
    files = [*folder.rglob("*.mjml"), *folder.rglob("*.txt"), *folder.rglob("*.po")]
    return {file.relative_to(folder).as_posix(): file.read_text(encoding="utf-8") for file in files}


@cache
def skeleton() -> Skeleton:
    """The packaged templates, compiled once for all tests."""
    return compile_skeleton(sources(), PUBLICATION)


def condensed(**changes: Any) -> Condensed:
    """The Children & Families summary, made ready for letters."""
    return replace(
        Condensed(
            headline="Will Stockport's £63 million SEND deficit worsen?",
            lead="The committee endorsed the plan.",
            brief_html=BRIEF_HTML,
            brief_text=BRIEF_TEXT,
            full_html=FULL_HTML,
            full_text=FULL_TEXT,
            questions=("Will Stockport's £63 million SEND deficit worsen?",),
            topics=("SEND",),
            decisions=(
                Decision("The Improvement and Impact Plan is endorsed.", "agreed", "Item 4"),
                Decision("The report on SEND is noted."),
            ),
            attendees=ATTENDEES,
            documents=(AGENDA, PACK, MINUTES),
            origin=Origin.AI,
            language="en",
            search_text="",
        ),
        **changes,
    )


def meeting(n: int = 1, **changes: Any) -> Meeting:
    """A meeting of Stockport's Children & Families committee."""
    return replace(
        Meeting(
            id=n,
            key=f"stockport:{n}",
            council="stockport",
            committee="Children & Families Scrutiny Committee",
            title="Children & Families Scrutiny Committee",
            starts_at=datetime(2025, 9, 3, 17, 0, tzinfo=UTC),
            starts_on=date(2025, 9, 3),
            status=MeetingStatus.HELD,
            url="https://democracy.stockport.gov.uk/ieListDocuments.aspx?CId=1&MId=2",
            venue="Council Chamber, Town Hall",
            video_url="https://video.stockport.example/1",
            documents=(AGENDA, PACK),
        ),
        **changes,
    )


def decided(n: int = 1, **changes: Any) -> Entry:
    """A summary, as new."""
    entry = Entry(
        item=f"summary:{n}",
        version=1,
        seqs=(n,),
        place=Place.DECIDED,
        line_kind=LineKind.SUMMARY,
        council=STOCKPORT,
        meeting=meeting(n),
        detail=Detail.BRIEF,
        reasons=(Reason("committee", "Children & Families Scrutiny Committee"), Reason("keyword", "SEND")),
        summary=condensed(),
        is_new=True,
    )
    return replace(entry, **changes)


def coming_up(n: int = 20, **changes: Any) -> Entry:
    """A meeting listed from state."""
    entry = Entry(
        item=f"meeting:{n}",
        version=1,
        seqs=(),
        place=Place.COMING_UP,
        line_kind=LineKind.MEETING_NEW,
        council=STOCKPORT,
        meeting=meeting(
            n,
            committee="Planning & Highways Regulation Committee",
            title="Planning & Highways Regulation Committee",
            starts_at=datetime(2025, 9, 11, 17, 30, tzinfo=UTC),
            starts_on=date(2025, 9, 11),
            status=MeetingStatus.SCHEDULED,
            video_url=None,
        ),
        detail=Detail.BRIEF,
        reasons=(Reason("council", "Stockport"),),
    )
    return replace(entry, **changes)


def moved(n: int = 30, **changes: Any) -> Entry:
    """A meeting that was given another time."""
    after = meeting(
        n, committee="Cabinet", title="Cabinet", starts_at=datetime(2025, 9, 16, 17, 0, tzinfo=UTC)
    )
    before = replace(after, starts_at=datetime(2025, 9, 9, 17, 0, tzinfo=UTC))
    entry = coming_up(n)
    return replace(
        entry,
        seqs=(n,),
        place=Place.CHANGED,
        line_kind=LineKind.MEETING_CHANGED,
        meeting=after,
        before=before,
        **changes,
    )


def cancelled(n: int = 31, **changes: Any) -> Entry:
    """A meeting that will not be."""
    off = meeting(n, committee="Audit Committee", title="Audit Committee", status=MeetingStatus.CANCELLED)
    entry = replace(
        moved(n), line_kind=LineKind.MEETING_CANCELLED, meeting=off, before=None, why="Too few members."
    )
    return replace(entry, **changes)


def corrected(n: int = 40, **changes: Any) -> Entry:
    """A summary said earlier, now put right."""
    return decided(
        n,
        place=Place.CORRECTED,
        line_kind=LineKind.CORRECTION,
        version=2,
        since=datetime(2025, 8, 31, 6, 0, tzinfo=UTC),
        why="The deficit was given as £36 million; it is £63 million.",
        **changes,
    )


def withdrawn(n: int = 41, **changes: Any) -> Entry:
    """A summary said earlier, now taken back."""
    return replace(
        corrected(n), line_kind=LineKind.WITHDRAWAL, summary=None, why="It mixed up two meetings.", **changes
    )


def papers(n: int = 50, **changes: Any) -> Entry:
    """Papers published for a meeting."""
    entry = coming_up(n)
    return replace(entry, seqs=(n,), place=Place.PAPERS, line_kind=LineKind.PAPERS, **changes)


def edition(*entries: Entry, **changes: Any) -> Edition:
    """An edition of these entries for a follower of Stockport."""
    value = Edition(
        profile=Profile(councils=("stockport",), keywords=("send",)),
        from_seq=0,
        upto_seq=99,
        as_of=AS_OF,
        councils=(STOCKPORT,),
        entries=entries,
    )
    return replace(value, **changes)


def whole_edition(**changes: Any) -> Edition:
    """One of everything a letter can say."""
    return edition(
        decided(1, detail=Detail.FULL),
        decided(
            2,
            meeting=meeting(
                2,
                committee="Cabinet",
                title="Cabinet",
                starts_at=datetime(2025, 9, 4, 17, 0, tzinfo=UTC),
                video_url=None,
            ),
            summary=condensed(
                headline="What will the Plan for 2024–27 change for young people?", attendees=(), documents=()
            ),
        ),
        decided(
            3,
            detail=Detail.HEADLINE,
            meeting=meeting(3, committee="Marple Area Committee", starts_at=None, video_url=None),
            summary=condensed(
                headline="Who pays for Marple's new library roof?", decisions=(), origin=Origin.HUMAN
            ),
        ),
        corrected(),
        withdrawn(),
        moved(),
        cancelled(),
        papers(),
        coming_up(20),
        coming_up(
            21,
            council=TREFYBONT,
            meeting=replace(
                coming_up().meeting,
                id=21,
                committee="Y Cabinet",
                venue="Neuadd y Dref",
                documents=(),
                status=MeetingStatus.PROVISIONAL,
            ),
        ),
        councils=(STOCKPORT, TREFYBONT, MARLOW),
        folded=(Folded(Place.DECIDED, STOCKPORT, ("summary:4", "summary:5", "summary:6", "summary:7")),),
        limited=(Waiting(MARLOW, 128),),
        silences=(Silence(TREFYBONT, datetime(2025, 8, 20, 6, 0, tzinfo=UTC)),),
        earlier=12,
        **changes,
    )

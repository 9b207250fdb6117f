"""A summary file's bytes as a ``Summary``: Markdown with YAML front matter, or the same as JSON.

In JSON the text after the front matter is the field ``body``. All that is wrong with a file is told in
one go, the first by line leading.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from digest.errors import NotFoundError, SummaryError
from digest.model import Attendee, Decision, Document, DocumentKind, Origin, Summary
from digest.summaries.body import Body, read_body
from digest.summaries.clean import tidy
from digest.summaries.fields import Findings, Sheet
from digest.summaries.spots import Spot, json_spot, yaml_spot

MAX_BYTES = 1_000_000
MAX_FRONT = 128_000  # bytes of front matter: 400 papers with long addresses
FIELDS = (
    "council", "committee", "title", "starts_at", "url", "video_url", "source_id", "language", "questions",
    "topics", "origin", "model", "attendees", "documents", "decisions",
)  # fmt: skip
_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?")
_LANGUAGE = re.compile(r"[a-z]{2,3}(?:-[a-z0-9]{2,8}){0,2}")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?(?:[zZ]|[+-]\d{2}:?\d{2})?")
_FILE_ENDING = re.compile(r"\.(?:pdf|docx?|xlsx?|pptx?|odt|rtf|html?)$", re.IGNORECASE)
_FENCE = "---"


def read_summary(data: bytes, *, name: str, timezone_of: Callable[[str], str]) -> Summary:
    """The summary in ``data``; ``name`` (as in ``x.md``) tells JSON from Markdown where the content does not.

    ``timezone_of`` gives the zone of a council by its slug, for times without an offset; it may raise
    NotFoundError or LookupError for a council it does not know.
    Raises: SummaryError with the line; its text names the field, what is wrong and the mend.
    """
    text = _decoded(data)
    is_json = name.lower().endswith(".json") or text.lstrip()[:1] == "{"
    front, body, body_line = _json_parts(json_spot(text)) if is_json else _markdown_parts(text)
    findings = Findings()
    sheet = _sheet(front, findings)
    sheet.known_only((*FIELDS, "body") if is_json else FIELDS)
    parts = _body_parts(body, body_line, findings)
    return _summary(sheet, parts, timezone_of)


def _decoded(data: bytes) -> str:
    if len(data) > MAX_BYTES:
        raise SummaryError(f"the file has {len(data)} bytes, at most {MAX_BYTES} are allowed: shorten it")
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise SummaryError("the file is UTF-16: save it as UTF-8")
    try:
        text = tidy(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise SummaryError("here is a byte that is no UTF-8: save the file as UTF-8", line=line) from error
    if not text.strip():
        raise SummaryError("the file is empty: it needs front matter and a text, see the sample summaries")
    return text


# --- the two forms -----------------------------------------------------------------------------------


def _markdown_parts(text: str) -> tuple[Spot, str, int]:
    """Front matter, body and the body's first line."""
    lines = text.split("\n")
    start = next(n for n, line in enumerate(lines) if line.strip())
    if lines[start].rstrip() != _FENCE:
        raise SummaryError(
            "the file must start with '---', then the front matter (council, committee, starts_at, origin), "
            "then '---' and the text",
            line=start + 1,
        )
    end = next((n for n in range(start + 1, len(lines)) if lines[n].rstrip() in (_FENCE, "...")), None)
    if end is None:
        raise SummaryError("the front matter that starts here has no closing '---' line", line=start + 1)
    front = "\n".join(lines[start + 1 : end])
    if len(front) > MAX_FRONT:
        raise SummaryError(f"the front matter is longer than {MAX_FRONT} characters: shorten it", line=1)
    return yaml_spot(front, first_line=start + 2), "\n".join(lines[end + 1 :]), end + 2


def _json_parts(root: Spot) -> tuple[Spot, str, int]:
    body = root.value.get("body") if isinstance(root.value, dict) else None
    if body is None or body.value is None:
        return root, "", body.line if body else root.line
    if not isinstance(body.value, str):
        raise SummaryError("body: must be one text in Markdown", line=body.line)
    return root, tidy(body.value), body.line


def _sheet(front: Spot, findings: Findings) -> Sheet:
    if not isinstance(front.value, dict):
        raise SummaryError("the front matter must be fields, as 'council: stockport'", line=front.line)
    return Sheet(front.value, front.line, findings, key_lines=front.key_lines or {})


def _body_parts(text: str, line: int, findings: Findings) -> Body | None:
    try:
        return read_body(text, first_line=line)
    except SummaryError as error:
        findings.add(error.line, error.why)
        return None


# --- the fields ----------------------------------------------------------------------------------------


def _summary(sheet: Sheet, body: Body | None, timezone_of: Callable[[str], str]) -> Summary:
    """Every field is looked at before anything is raised; stand-ins never leave this function."""
    council = _council(sheet)
    starts_at, starts_on = _start(sheet, _zone(sheet, council, timezone_of))
    summary = Summary(
        council=council or "",
        committee=sheet.text("committee", limit=300, is_required=True) or "",
        starts_at=starts_at,
        starts_on=starts_on or date.min,
        origin=sheet.choice("origin", Origin, default=Origin.AI),
        lead=body.lead if body else "",
        sections=body.sections if body else (),
        title=sheet.text("title", limit=500),
        url=sheet.url("url"),
        video_url=sheet.url("video_url"),
        source_id=sheet.text("source_id", limit=200),
        language=_language(sheet),
        model=sheet.text("model", limit=200),
        questions=sheet.texts("questions", limit=500, most=50),
        topics=sheet.texts("topics", limit=100, most=50),
        attendees=_attendees(sheet),
        documents=_documents(sheet),
        decisions=_decisions(sheet),
        footnotes=body.footnotes if body else (),
    )
    sheet.findings.raise_first()
    return summary


def _council(sheet: Sheet) -> str | None:
    slug = sheet.text("council", limit=64, is_required=True)
    if slug is None or _SLUG.fullmatch(slug):
        return slug
    made = re.sub(r"[^a-z0-9]+", "-", slug.lower()).strip("-")
    sheet.note("council", f"{slug!r} is no short name: write small letters, digits and hyphens, as {made!r}")
    return None


def _zone(sheet: Sheet, council: str | None, timezone_of: Callable[[str], str]) -> ZoneInfo | None:
    if council is None:
        return None
    try:
        return ZoneInfo(timezone_of(council))
    except (ZoneInfoNotFoundError, ValueError) as error:
        sheet.note(
            "council", f"the time zone of {council!r} is unknown: mend the council's setting ({error})"
        )
    except NotFoundError as error:
        sheet.note("council", str(error))
    except LookupError:
        sheet.note("council", f"no council is called {council!r}: add it first, or mend the name")
    return None


def _start(sheet: Sheet, zone: ZoneInfo | None) -> tuple[datetime | None, date | None]:
    """(starts_at in UTC or None, starts_on in the council's zone or None where it was noted as wrong)."""
    text = sheet.text("starts_at", limit=100, is_required=True)
    if text is None:
        return None, None
    try:
        if _DAY.fullmatch(text):
            return None, date.fromisoformat(text)
        if not _INSTANT.fullmatch(text):
            raise ValueError("no date in the form that is understood")
        moment = datetime.fromisoformat(text.upper())
    except ValueError as error:
        sheet.note(
            "starts_at",
            f"{text!r} cannot be read ({error}): write 2025-09-03T18:00, or 2025-09-03 if no time is known",
        )
        return None, None
    return _placed(sheet, moment, zone) if zone else (None, None)


def _placed(sheet: Sheet, moment: datetime, zone: ZoneInfo) -> tuple[datetime | None, date | None]:
    local = moment.replace(tzinfo=zone) if moment.tzinfo is None else moment
    try:
        instant = local.astimezone(UTC)
        in_zone = instant.astimezone(zone)
    except OverflowError:
        sheet.note("starts_at", f"{moment.isoformat()} is no year of a meeting")
        return None, None
    if moment.tzinfo is None and in_zone.replace(tzinfo=None) != moment:
        sheet.note(
            "starts_at",
            f"{moment.isoformat()} does not exist in {zone.key}, the clocks go forward then: add the offset",
        )
    return instant, in_zone.date()


def _language(sheet: Sheet) -> str:
    text = (sheet.text("language", limit=20) or "en").lower()
    if not _LANGUAGE.fullmatch(text):
        sheet.note("language", f"{text!r} is no language code: write en, cy, …")
    return text


def _attendees(sheet: Sheet) -> tuple[Attendee, ...]:
    return tuple(
        Attendee(
            one.text("name", limit=200, is_required=True) or "",
            role=one.text("role", limit=300),
            party=one.text("party", limit=100),
            ward=one.text("ward", limit=200),
        )
        for one in sheet.sheets("attendees", ("name", "role", "party", "ward"), most=300)
    )


def _documents(sheet: Sheet) -> tuple[Document, ...]:
    return tuple(
        Document(
            one.choice("kind", DocumentKind, default=DocumentKind.ADDITIONAL),
            _human_title(one.text("title", limit=500, is_required=True) or ""),
            one.url("url", is_required=True) or "",
        )
        for one in sheet.sheets("documents", ("kind", "title", "url"), most=400)
    )


def _human_title(title: str) -> str:
    """A file name as a person would write it: no ending, no underscores; other titles as they are."""
    name, found = _FILE_ENDING.subn("", title)
    return name.replace("_", " ").strip() or title if found else title


def _decisions(sheet: Sheet) -> tuple[Decision, ...]:
    return tuple(
        Decision(
            one.text("text", limit=4000, is_required=True) or "",
            outcome=one.text("outcome", limit=200),
            item=one.text("item", limit=300),
        )
        for one in sheet.sheets("decisions", ("text", "outcome", "item"), most=200)
    )

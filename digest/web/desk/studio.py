"""The preview studio: any letter of any week, looked at as its readers might, with all that explains it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from digest.errors import DigestError, UsageError
from digest.model import Detail, Format, Profile, Role
from digest.pipeline import studio
from digest.pipeline.run import Works
from digest.pipeline.studio import Shown
from digest.store import councils
from digest.web.desk.live import LiveTemplates
from digest.web.desk.people import wishes_of
from digest.web.desk.router import Desk
from digest.web.headers import LETTER_POLICY

WIDTHS = {"phone": 360, "desktop": 700}
VIEWS = ("letter", "text", "source", "headers", "why")
_DARK = re.compile(r"\(prefers-color-scheme:\s*dark\)")
_STYLE = re.compile(r"<style\b.*?</style>", re.DOTALL | re.IGNORECASE)
_HEAD = re.compile(r"<head\b[^>]*>", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Asked:
    """What the studio's form says: whose letter, of which week, with which templates, and how to look."""

    who: str = ""
    edition: str = ""  # "12:340:1": stored wishes, from which line on, on which schedule; of a rehearsal
    councils: tuple[str, ...] = ()
    topics: str = ""
    keywords: str = ""
    wards: str = ""
    detail: str = "brief"
    language: str = "en"
    format: str = "html"
    week: str = ""  # "" now, "run:7"
    at: str = ""  # a moment, as a browser's field writes it
    templates: str = ""  # a folder, "" the installation's own, "packaged"
    width: str = "phone"
    scheme: str = "light"
    images: str = "on"
    styles: str = "on"
    view: str = "letter"
    beside: str = ""  # "run:7", "at:2025-09-07T18:00", "templates:FOLDER"

    @property
    def is_made_up(self) -> bool:
        """Whether the wishes are those of the form, not a subscriber's."""
        return not self.who.strip()

    def query(self, **changes: str) -> str:
        """This form as a query, with some fields (texts) changed."""
        other = replace(self, **changes)  # type: ignore[arg-type]
        pairs = [("council", slug) for slug in other.councils]
        plain = Asked()
        pairs += [
            (name, str(getattr(other, name)))
            for name in self.__slots__
            if name != "councils" and getattr(other, name) != getattr(plain, name)
        ]
        return urlencode(pairs)

    def wishes(self) -> str:
        """The form's wishes as JSON of a profile."""
        given: dict[str, Any] = {"councils": list(self.councils), "detail": self.detail}
        given |= {"language": self.language, "format": self.format}
        for name in ("topics", "keywords", "wards"):
            given[name] = [part.strip() for part in getattr(self, name).split(";") if part.strip()]
        return json.dumps(given)


def asked_of(request: Request) -> Asked:
    """The form of a request; a value that no choice has counts as not given."""
    query = request.query_params
    known = {name: query[name] for name in Asked.__slots__ if name != "councils" and name in query}
    choices = {
        "width": WIDTHS, "view": VIEWS, "scheme": ("light", "dark"), "images": ("on", "off"),
        "styles": ("on", "off"), "detail": tuple(Detail), "format": tuple(Format),
    }  # fmt: skip
    known = {name: value for name, value in known.items() if name not in choices or value in choices[name]}
    return Asked(councils=tuple(query.getlist("council")), **known)


def add_routes(desk: Desk) -> None:
    """``/operator/studio``, the letters in its frames, and a test sent to an allow-listed address."""
    site = desk.site
    live = LiveTemplates(site.hall)

    @desk.get("/studio")
    def show(request: Request) -> Response:
        """The form, the letter, and what is beside it."""
        asked = asked_of(request)
        refused = desk.watched.look(now=site.now())
        with site.hall.database.read() as connection:
            slugs = [(one.slug, one.name) for one in councils.all_councils(connection)]
        if asked.is_made_up and not asked.councils and slugs:
            asked = replace(asked, councils=(slugs[0][0],))
        left = _look(desk, live, asked)
        right = _look(desk, live, _beside(asked)) if asked.beside else None
        weeks, why_none = _weeks(site.hall.works, asked)
        return desk.page(
            request,
            "studio.html",
            asked=asked,
            refused=refused,
            all_councils=slugs,
            weeks=weeks,
            why_none=why_none,
            left=left,
            right=right,
            edition_wishes=wishes_of(left.shown.profile) if asked.edition and left.shown else [],
            own_wishes=_made_up(left.shown.profile).query() if asked.edition and left.shown else "",
            widths=WIDTHS,
            views=VIEWS,
            allow_list=site.hall.settings.safety.allow_list,
            most=site.hall.max_bytes,
            language_names={code: one.name for code, one in site.pages.languages.items()},
        )

    @desk.get("/studio/letter")
    def letter(request: Request) -> Response:
        """The letter alone, as a frame holds it."""
        asked = asked_of(request)
        look = _look(desk, live, asked)
        if look.shown is None or look.shown.letter is None or look.shown.letter.html is None:
            return Response("There is no HTML letter.", media_type="text/plain")
        policy = LETTER_POLICY
        if asked.images == "off":
            policy = policy.replace("img-src https: http: data:", "img-src 'none'")
        html = dressed(look.shown.letter.html.decode(), scheme=asked.scheme, styles=asked.styles == "on")
        return Response(html, media_type="text/html", headers={"Content-Security-Policy": policy})

    @desk.post("/studio/send", role=Role.EDITOR)
    async def send(request: Request) -> Response:
        """One letter to one address of the allow-list."""
        from fastapi.concurrency import run_in_threadpool

        form = await request.form()
        to = str(form.get("to", "")).strip()
        said = await run_in_threadpool(_send, desk, live, asked_of(request), to)
        desk.note(request, "test letter", subject="studio", said=said.replace(to, "(an address)"))
        return desk.back(f"/studio?{asked_of(request).query()}", said)


@dataclass(frozen=True, slots=True)
class Look:
    """One letter in the studio, or why there is none; ``fault`` says what is wrong with the templates now."""

    asked: Asked
    shown: Shown | None
    fault: str = ""
    why: str = ""


def dressed(html: str, *, scheme: str, styles: bool) -> str:
    """A letter as it is, but in the wished colour scheme, perhaps without styles; links open outside."""
    if not styles:
        html = _STYLE.sub("", html)
    html = _DARK.sub("all" if scheme == "dark" else "not all", html)
    return _HEAD.sub(lambda found: f'{found[0]}<base target="_blank">', html, count=1)


def _look(desk: Desk, live: LiveTemplates, asked: Asked) -> Look:
    hall = desk.site.hall
    try:
        printer, fault = live.printer(_folder(desk, asked))
        works = replace(hall.works, printer=printer)
        at = _instant(asked.at)
        if asked.edition:
            profile, from_seq, schedule = _edition_of(asked.edition)
            shown = studio.letter_of_edition(
                works,
                profile,
                from_seq=from_seq,
                schedule_id=schedule,
                at=at,
                max_bytes=hall.max_bytes,
            )
        elif asked.is_made_up:
            shown = studio.letter_of_wishes(works, asked.wishes(), at=at, max_bytes=hall.max_bytes)
        else:
            run_id = _run_of(asked.week)
            shown = studio.letter_of_subscriber(
                works,
                asked.who.strip(),
                run_id=run_id,
                at=at,
                is_anew=run_id is None or bool(asked.templates),
                max_bytes=hall.max_bytes,
            )
    except DigestError as error:
        return Look(asked, None, why=str(error))
    return Look(asked, shown, fault=fault)


def _folder(desk: Desk, asked: Asked) -> Path | None:
    """The folder of templates. Only at this machine may any folder be named: its files are read."""
    if asked.templates == "packaged":
        return None
    if not asked.templates:
        return desk.site.hall.settings.templates
    if not desk.access.is_local:
        raise UsageError("other folders of templates can be looked at with `digest preview` only")
    return Path(asked.templates).expanduser()


def _beside(asked: Asked) -> Asked:
    """The form of the second letter: another week, moment or folder of templates."""
    what, _, value = asked.beside.partition(":")
    if what == "run":
        return replace(asked, week=asked.beside, at="")
    if what == "at":
        return replace(asked, week="", at=value)
    return replace(asked, templates=value) if what == "templates" else replace(asked, week="", at="")


def _made_up(profile: Profile) -> Asked:
    """The form with these wishes, as far as it has fields for them."""
    return Asked(
        councils=profile.councils,
        topics="; ".join(profile.topics),
        keywords="; ".join(profile.keywords),
        wards="; ".join(profile.wards),
        detail=profile.detail.value,
        language=profile.language,
        format=profile.format.value,
    )


def _weeks(works: Works, asked: Asked) -> tuple[list[studio.Week], str]:
    if asked.is_made_up or asked.edition:
        return [], ""
    try:
        return studio.weeks_of(works, asked.who.strip()), ""
    except DigestError as error:
        return [], str(error)


def _run_of(week: str) -> int | None:
    what, _, number = week.partition(":")
    return int(number) if what == "run" and number.isdecimal() else None


def _edition_of(text: str) -> tuple[int, int, int]:
    found = re.fullmatch(r"(\d{1,18}):(\d{1,18}):(\d{1,18})", text)
    if found is None:
        raise UsageError(f"{text!r} is no edition: open one from the next run's page")
    return int(found[1]), int(found[2]), int(found[3])


def _instant(text: str) -> datetime | None:
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"{text!r} is no moment: write it as 2025-09-07T18:00") from error
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)


def _send(desk: Desk, live: LiveTemplates, asked: Asked, to: str) -> str:
    """What became of a test letter, as a sentence."""
    allow_list = desk.site.hall.settings.safety.allow_list
    if why := studio.may_be_tried(to, allow_list):
        return why
    look = _look(desk, live, asked)
    if look.shown is None or look.shown.letter is None:
        return f"Not sent: {look.why or 'there is nothing to say'}."
    return studio.send_test(desk.site.hall.works, look.shown.letter.page, to=to, allow_list=allow_list).said

"""A reader's choices, from the link of any letter: everything can be seen, tried, changed and taken back."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response

from digest.compose.profile import LANGUAGES
from digest.errors import NotFoundError, SubscriberError
from digest.links import Purpose
from digest.model import Council, Detail, Format, Profile, SubscriberState
from digest.pipeline import trying, wishes
from digest.pipeline.wishes import HERE, Change, Standing
from digest.store import signup
from digest.store.councils import all_councils
from digest.store.subscribers import Subscriber, subscriber_by_id
from digest.store.wishes import CommitteeName, committees_of, standing_of
from digest.web import choices, unsubscribe
from digest.web.forms import form_of, masked, text_in, texts_in
from digest.web.headers import LETTER_POLICY
from digest.web.site import Site
from digest.web.subscribe import FEW

Form = Annotated[FormData, Depends(form_of)]
SEAL = "preferences"
MOST_NAMED = 600


@dataclass(frozen=True, slots=True)
class Shown:
    """A reader with all that their form is made of."""

    reader: Subscriber
    standing: Standing
    councils: tuple[Council, ...]
    committees: tuple[CommitteeName, ...]

    def wished(self, **changes: Any) -> Change:
        """What stands now, with some of it changed."""
        now = Change(
            profile=self.reader.profile,
            schedule=self.reader.schedule,
            at_once=self.standing.at_once,
            paused_until=self.reader.paused_until,
            is_paused=self.reader.state is SubscriberState.PAUSED,
        )
        return replace(now, **changes)


def router_of(site: Site) -> APIRouter:
    """``GET`` and ``POST /preferences/{token}``, and the letter of its preview."""
    router = APIRouter(include_in_schema=False)

    @router.get("/preferences/{token}")
    def show(request: Request, token: str) -> Response:
        """The form, or how it ended; ``?less=committee:slug/Name`` has that choice ready."""
        id_ = subject_of(site, token)
        shown = shown_of(site, id_)
        if shown is None:
            return unsubscribe.page_of(site, request, id_)
        return _page(site, request, token, shown)

    @router.post("/preferences/{token}")
    def act(request: Request, token: str, form: Form) -> Response:
        """Keep the choices, mute one thing, or take the last change back."""
        id_ = subject_of(site, token)
        site.seal.check(text_in(form, "seal"), SEAL, id_, today=site.today())
        shown = shown_of(site, id_)
        if shown is None:
            return unsubscribe.page_of(site, request, id_)
        return _act(site, request, token, shown, form)

    @router.get("/preferences/{token}/letter")
    def letter(token: str) -> Response:
        """The next letter as things stand."""
        shown = shown_of(site, subject_of(site, token))
        return _letter(site, shown.reader, shown.reader.profile) if shown else Response(status_code=404)

    async def preview(request: Request) -> Response:
        """The next letter with the choices as filled in; nothing is kept, so it needs no seal."""
        form = await form_of(request)
        return await run_in_threadpool(_preview, site, request.path_params["token"], form)

    router.add_route("/preferences/{token}/preview", preview, methods=["POST"])
    return router


def subject_of(site: Site, token: str) -> int:
    """Whose choices a link opens. Raises: LinkError."""
    return site.hall.signer.read(token, Purpose.PREFERENCES, today=site.today()).subject_id


def shown_of(site: Site, id_: int) -> Shown | None:
    """A reader who may choose; None for who left. Raises: NotFoundError for who has not confirmed."""
    with site.hall.database.read() as connection:
        reader, standing = subscriber_by_id(connection, id_), standing_of(connection, id_)
        if reader is None or standing is None or reader.state not in (*HERE, SubscriberState.PENDING):
            return None
        if reader.state is SubscriberState.PENDING:
            raise NotFoundError("who has not confirmed has no choices yet")
        return Shown(
            reader, standing, all_councils(connection), committees_of(connection, reader.profile.councils)
        )


# --- changes ----------------------------------------------------------------------------------------------


def _act(site: Site, request: Request, token: str, shown: Shown, form: FormData) -> Response:
    what = text_in(form, "what")
    if what == "undo":
        before = site.undo.read(text_in(form, "undo"), shown.reader.id, today=site.today())
        done = wishes.undo(site.hall.database, before, now=site.now())
        return _again(site, request, token, shown, done="undone" if done else "not_undone")
    if what.startswith("less:"):
        profile = choices.less_of(
            shown.reader.profile, what.removeprefix("less:"), committees=shown.committees
        )
        if profile is None:
            return _page(site, request, token, shown, status=422, done="not_less")
        return _keep(site, request, token, shown, shown.wished(profile=profile))
    try:
        wished = _wished(site, shown, form)
    except SubscriberError as error:
        return _page(site, request, token, shown, status=422, wrong=_field_of(error), form=form)
    return _keep(site, request, token, shown, wished)


def _keep(site: Site, request: Request, token: str, shown: Shown, wished: Change) -> Response:
    before = wishes.change(
        site.hall.database, shown.reader.id, wished, source="preferences page", now=site.now()
    )
    return _again(site, request, token, shown, done="kept" if before else "same", before=before)


def _again(
    site: Site, request: Request, token: str, shown: Shown, *, done: str, before: Standing | None = None
) -> Response:
    now = shown_of(site, shown.reader.id)
    if now is None:
        return unsubscribe.page_of(site, request, shown.reader.id)
    return _page(site, request, token, now, done=done, before=before)


def _wished(site: Site, shown: Shown, form: FormData) -> Change:
    """Raises: SubscriberError that begins with the field's name."""
    known = {one.slug for one in shown.councils}
    slugs = [slug for slug in texts_in(form, "council") if slug in known]
    if added := text_in(form, "add"):
        slugs.append(_named(site, added))
    with site.hall.database.read() as connection:
        committees = committees_of(connection, slugs)
    profile = choices.profile_from(
        form,
        shown.reader.profile,
        councils=tuple(dict.fromkeys(slugs)),
        committees=committees,
        limits=site.hall.tiers,
    )
    return choices.change_from(form, profile, shown.reader.schedule, today=site.today())


def _named(site: Site, words: str) -> str:
    """The one council that is meant. Raises: SubscriberError."""
    with site.hall.database.read() as connection:
        found = signup.named(connection, words)
    same = [one for one in found if one.name.casefold() == words.casefold()]
    if len(found) == 1 or same:
        return (same or list(found))[0].slug
    raise SubscriberError(f"add: {words!r} is the name of {len(found)} councils")


def _field_of(error: SubscriberError) -> str:
    """The field that a message is about: messages begin with it; those of schedules do not."""
    field = str(error).partition(":")[0]
    fields = ("councils", "add", "committees", "topics", "keywords", "wards", "kinds", "until")
    return field if field in fields else "words" if field.startswith("topics, keywords") else "when"


# --- the letter -------------------------------------------------------------------------------------------


def _preview(site: Site, token: str, form: FormData) -> Response:
    shown = shown_of(site, subject_of(site, token))
    if shown is None:
        return Response(status_code=404)
    try:
        return _letter(site, shown.reader, _wished(site, shown, form).profile)
    except SubscriberError:
        return _frame(site, site.pages.text("letter_none.html", shown.reader.profile.language, why="wrong"))


def _letter(site: Site, reader: Subscriber, profile: Profile) -> Response:
    found = trying.next_letter(site.hall.works, reader, profile)
    if found is None:
        return _frame(site, site.pages.text("letter_none.html", profile.language, why="empty"))
    if found.html is None:
        facts = {"why": "text", "subject": found.subject, "text": found.text.decode()}
        return _frame(site, site.pages.text("letter_none.html", profile.language, **facts))
    headers = {"Content-Security-Policy": LETTER_POLICY}
    return Response(found.html, media_type="text/html", headers=headers)


def _frame(site: Site, html: str) -> Response:
    return Response(html, media_type="text/html")


# --- the page ---------------------------------------------------------------------------------------------


def _page(
    site: Site,
    request: Request,
    token: str,
    shown: Shown,
    *,
    status: int = 200,
    done: str = "",
    before: Standing | None = None,
    wrong: str = "",
    form: FormData | None = None,
) -> Response:
    reader, today = shown.reader, site.today()
    profile = reader.profile
    followed = [one for one in shown.councils if one.slug in profile.councils]
    is_short = len(shown.councils) <= FEW
    less = request.query_params.get("less", "") if not done else ""
    has_less = bool(less) and choices.less_of(profile, less, committees=shown.committees) is not None
    sign = site.hall.signer.token
    return site.pages.answer(
        request,
        "preferences.html",
        status=status,
        language=profile.language,
        path=f"{site.root}/preferences/{token}",
        reader=reader,
        profile=profile,
        address=masked(reader.address),
        is_paused=reader.state is SubscriberState.PAUSED,
        at_once=shown.standing.at_once,
        councils=list(shown.councils) if is_short else followed,
        others=[] if is_short else [one for one in shown.councils if one not in followed][:MOST_NAMED],
        bodies=[(one, choices.bodies_of(profile, one.slug, shown.committees)) for one in followed],
        when=choices.when_of(reader.schedule),
        weekdays=choices.DAYS,
        which=choices.WHICH,
        zones=sorted({reader.schedule.timezone, "Europe/London", *(one.timezone for one in followed)}),
        details=tuple(Detail),
        formats=tuple(Format),
        tongues={code: site.pages.languages[code].name for code in LANGUAGES if code in site.pages.languages},
        kinds=choices.KINDS,
        seal=site.seal.make(SEAL, reader.id, on=today),
        undo=site.undo.make(before, on=today) if before else "",
        done=done,
        wrong=wrong,
        typed={name: text_in(form, name) for name in ("topics", "keywords", "excluded", "wards", "add")}
        if form
        else {},
        less=less if has_less else "",
        less_name=less.partition(":")[2].rpartition("/")[2],
        leave=f"{site.root}/unsubscribe/{sign(Purpose.UNSUBSCRIBE, reader.id, on=today)}",
        calendar=f"{site.root}/calendar/{sign(Purpose.CALENDAR, reader.id, on=today)}.ics",
    )

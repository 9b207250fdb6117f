"""Sample values for every template: one complete, one with all that may be missing left out.

The names in the complete sample are the names a template may use. docs: the names of a template's variables.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from markupsafe import Markup

from digest.model import Publication
from digest.render import tags
from digest.render.views import AttendeeView, DecisionView, DocumentView, ItemView, LinkView

PARTS = (
    "section",
    "decided",
    "withdrawal",
    "changed",
    "papers",
    "coming_up",
    "folded",
    "calendar",
    "notes",
    "quiet",
)
NOTICES = (
    "confirm",
    "welcome",
    "link",
    "address",
    "supported",
    "cancelled_meeting",
    "service",
    "move",
    "export",
    "erase",
)
SHELL = "letter"
THEME = "theme.mjml"
_URL = "https://council.example/meetings/7"


@dataclass(frozen=True, slots=True)
class TagNames:
    """The personal links as a template names them."""

    unsubscribe: str = tags.UNSUBSCRIBE
    preferences: str = tags.PREFERENCES
    view: str = tags.VIEW
    action: str = tags.ACTION


TAG_NAMES = TagNames()
PART_TAGS = TagNames(
    *(tags.veiled(name) for name in (tags.UNSUBSCRIBE, tags.PREFERENCES, tags.VIEW, tags.ACTION))
)


def template_names() -> tuple[str, ...]:
    """Every template by name; each has a ``.mjml`` and a ``.txt``."""
    return (SHELL, *(f"parts/{p}" for p in PARTS), *(f"notices/{n}" for n in NOTICES))


def sample_contexts(name: str, publication: Publication, language: str) -> tuple[dict[str, Any], ...]:
    """The samples a template is tried with: complete, bare, and the kinds that branch."""
    common = {"lang": language, "publication": publication, "tags": TAG_NAMES}
    bare_publication = replace(publication, logo_url=None, postal_address="", support_line="", contact="")
    bare_common = {**common, "publication": bare_publication}
    if name == SHELL:
        return ({**common, **_shell()}, {**bare_common, **_bare_shell()})
    folder, _, part = name.partition("/")
    if folder == "notices":
        full = {
            "councils": "Stockport",
            "schedule": "on Sunday",
            "message": ("One.", "Two."),
            "body": Markup("<p>Three.</p>"),
            "body_text": "Three.",
            "item": _item(),
        }
        bare = {"councils": "", "schedule": "", "message": (), "body": Markup(""), "body_text": ""}
        kinds = ("changed", "postponed") if part == "cancelled_meeting" else ()
        return (
            {**common, **full},
            {**bare_common, **bare, "item": None},
            *({**common, **full, "item": replace(_item(), kind=kind)} for kind in kinds),
        )
    return tuple({**(common if n == 0 else bare_common), **own} for n, own in enumerate(_part(part)))


def _part(part: str) -> tuple[dict[str, Any], ...]:
    link = LinkView("Stockport", _URL)
    simple: dict[str, tuple[dict[str, Any], ...]] = {
        "section": ({"heading": "Decided"},),
        "folded": ({"sentence": "and 4 more", "url": _URL},),
        "calendar": ({"links": (link, link)}, {"links": ()}),
        "quiet": ({"sentences": ("All is well.",)}, {"sentences": ()}),
        "notes": (
            {"limited": ("One waits.",), "paused": ("Paused.",), "silent": ("Silent.",)},
            {"limited": (), "paused": (), "silent": ()},
        ),
    }
    if part in simple:
        return simple[part]
    items = (
        _item(),
        _bare_item(),
        replace(_item(), kind="correction"),
        replace(_item(), kind="correction", since="", why=""),
        *(
            replace(_item(), kind=kind)
            for kind in ("withdrawal", "cancelled", "postponed", "changed", "papers")
        ),
        replace(_item(), is_headline=True),
    )
    return tuple(
        {
            "item": item,
            "names_council": n == 0,
            "has_reason": n == 0,
            "has_less": n == 0,
            "reason": "Here because you follow Stockport.",
        }
        for n, item in enumerate(items)
    )


def _shell() -> dict[str, Any]:
    return {
        "subject": "Will it?",
        "preheader": "Inside: one meeting.",
        "filler": Markup("&nbsp;"),
        "dated": "Sunday 7 September 2025",
        "greeting": "Hello,",
        "opening": "Inside: one meeting.",
        "body": Markup("<p>body</p>"),
        "why": ("You follow Stockport.",),
        "has_ai": True,
        "support_line": "Ring us.",
        "imprint": "Council Digest, 1 Market Place",
        "is_shared": True,
        "is_digest": True,
    }


def _bare_shell() -> dict[str, Any]:
    return {
        **_shell(),
        "opening": "",
        "body": Markup(""),
        "why": (),
        "has_ai": False,
        "support_line": "",
        "is_shared": False,
        "is_digest": False,
    }


def _item() -> ItemView:
    return ItemView(
        kind="decided",
        eyebrow="Stockport · Planning",
        heading="Will it?",
        url=_URL,
        committee="Planning",
        council="Stockport",
        when="Wednesday 3 September, 6pm",
        time="6pm",
        weekday="Wed",
        day="3",
        month="Sept",
        venue="Town Hall",
        status="Provisional",
        before="Tuesday 2 September, 6pm",
        since="1 September",
        why="A figure was wrong.",
        is_ai=True,
        is_new=True,
        is_headline=False,
        body=Markup("<p>Text.</p>"),
        body_text="Text.",
        decisions=(DecisionView("Approved the plan.", "Item 4", "carried"), DecisionView("Noted.", "", "")),
        more_decisions=2,
        attendees=(AttendeeView("A. Person", "Chair, Independent"), AttendeeView("B. Person", "")),
        documents=(DocumentView("Agenda", "3 September", _URL), DocumentView("", "Minutes", _URL)),
        more_documents=3,
        agenda_url=_URL,
        video_url=_URL,
        council_url=_URL,
        missing="There is no summary in Welsh yet.",
        content_lang="cy",
        summary_lang="cy",
        calendar_url=_URL,
        less="committee:stockport/Planning",
    )


def _bare_item() -> ItemView:
    return ItemView(
        kind="decided",
        eyebrow="Stockport",
        heading="Planning",
        url=_URL,
        committee="Planning",
        council="Stockport",
        when="",
        time="",
        weekday="",
        day="",
        month="",
        venue="",
        status="",
        before="",
        since="",
        why="",
        is_ai=False,
        is_new=False,
        is_headline=False,
        body=Markup(""),
        body_text="",
        decisions=(),
        more_decisions=0,
        attendees=(),
        documents=(),
        more_documents=0,
        agenda_url="",
        video_url="",
        council_url="",
        missing="",
        content_lang="",
        summary_lang="",
        calendar_url="",
        less="",
    )

"""Notices: ten kinds, each with its text twin, its own button and no one's account in it."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from digest.errors import RenderError
from digest.model import Format, MeetingStatus, Page, RunKind
from digest.render.lint import lint
from digest.render.notice import NoticeFacts, render_notice
from tests.unit.render.builders import AS_OF, MARLOW, STOCKPORT, TREFYBONT, meeting, skeleton

KINDS = [kind for kind in RunKind if kind is not RunKind.DIGEST]
FACTS = NoticeFacts(
    as_of=AS_OF,
    councils=(STOCKPORT, TREFYBONT),
    schedule="on Sunday at 7am",
    meeting=meeting(),
    why="Too few members.",
    title="We are moving to a new address",
    paragraphs=("From October the letters come from a new address.", "Nothing else changes."),
)
UNCONFIRMED = (RunKind.CONFIRM, RunKind.ADDRESS)


def notice(kind: RunKind, **changes: object) -> Page:
    return render_notice(kind, replace(FACTS, **changes), skeleton())  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("language", ["en", "cy"])
def test_the_lint_finds_nothing(kind: RunKind, language: str) -> None:
    assert lint(notice(kind, language=language), needs_unsubscribe=kind not in UNCONFIRMED) == ()


@pytest.mark.parametrize(
    ("kind", "subject", "says"),
    [
        (
            RunKind.CONFIRM,
            "Please confirm: your digest of Stockport and Tref-y-bont",
            "Yes, send me the digest",
        ),
        (
            RunKind.WELCOME,
            "Welcome: your digest of Stockport and Tref-y-bont",
            "The first one comes on Sunday at 7am.",
        ),
        (RunKind.LINK, "Your link to your choices", "It is yours alone"),
        (RunKind.ADDRESS, "Please confirm your new address", "Yes, use this address"),
        (RunKind.SUPPORTED, "Now with summaries: Stockport and Tref-y-bont", "now has full support"),
        (
            RunKind.CANCELLED_MEETING,
            "Cancelled: Children & Families Scrutiny Committee, 3 September",
            "Too few members.",
        ),
        (RunKind.SERVICE, "We are moving to a new address", "Nothing else changes."),
        (RunKind.MOVE, "Please confirm a change of address", "Yes, change my address"),
        (RunKind.EXPORT, "What is stored about you", "Show me what is stored"),
        (RunKind.ERASE, "Please confirm: forget all about you", "Yes, forget everything"),
    ],
)
def test_a_notice_says_what_it_is_about(kind: RunKind, subject: str, says: str) -> None:
    page = notice(kind)
    assert page.subject == subject
    assert says in re.sub(r"\s+", " ", page.text)
    assert says in re.sub(r"\s+", " ", page.html or "")
    assert 40 <= len(page.preheader) <= 100


@pytest.mark.parametrize("kind", [k for k in KINDS if k is not RunKind.CANCELLED_MEETING])
def test_the_button_is_the_readers_own_action(kind: RunKind) -> None:
    page = notice(kind)
    assert re.search(r'<td[^>]*class="button gutter".*?<a href="-dgAction-"', page.html or "", re.DOTALL)
    assert "-dgAction-" in page.text


@pytest.mark.parametrize("kind", UNCONFIRMED)
def test_who_has_not_confirmed_gets_only_the_one_link(kind: RunKind) -> None:
    page = notice(kind)
    for tag in ("-dgPrefs-", "-dgUnsub-"):
        assert tag not in page.text + (page.html or "")


def test_an_operators_words_are_text() -> None:
    page = notice(RunKind.SERVICE, title="Look\r\nBcc: x -dgView-", paragraphs=("<b>{{ 7 }}</b> -dgUnsub-",))
    assert page.subject == "Look Bcc: x \u2011dgView-"
    assert "&lt;b&gt;{{ 7 }}&lt;/b&gt; \u2011dgUnsub-" in (page.html or "")


@pytest.mark.parametrize(
    ("kind", "changes", "says"),
    [
        (RunKind.DIGEST, {}, "digest is no notice"),
        (RunKind.SERVICE, {"paragraphs": ()}, "needs a title and at least one paragraph"),
        (RunKind.SERVICE, {"paragraphs": ("x" * 20_001,)}, "at most 20000 bytes"),
        (RunKind.CANCELLED_MEETING, {"meeting": None}, "needs the meeting"),
        (RunKind.CONFIRM, {"councils": ()}, "needs the councils"),
    ],
)
def test_a_missing_fact_is_named(kind: RunKind, changes: dict[str, object], says: str) -> None:
    with pytest.raises(RenderError, match=says):
        notice(kind, **changes)


def test_plain_text_readers_get_plain_text() -> None:
    assert notice(RunKind.WELCOME, format=Format.TEXT, councils=(MARLOW,)).html is None


def test_the_first_letter_is_announced_on_the_readers_clock() -> None:
    first_at = datetime(2025, 9, 14, 17, 0, tzinfo=UTC)
    page = notice(RunKind.WELCOME, schedule="", first_at=first_at)
    assert "The first one comes on Sunday 14 September 2025 at 6pm." in page.text


@pytest.mark.parametrize(
    ("status", "hours", "subject", "says"),
    [
        (MeetingStatus.SCHEDULED, 24, "Moved: ", "It was Wednesday 3 September, 6pm; it is now Thursday"),
        (MeetingStatus.SCHEDULED, 0, "Takes place: ", "takes place after all, on Wednesday 3 September, 6pm"),
        (MeetingStatus.POSTPONED, 0, "Postponed: ", "Postponed. It was to be on Wednesday 3 September, 6pm."),
        (
            MeetingStatus.CANCELLED,
            0,
            "Cancelled: ",
            "which was to be on Wednesday 3 September, 6pm, will not",
        ),
    ],
)
def test_a_meeting_that_changed_says_how(status: MeetingStatus, hours: int, subject: str, says: str) -> None:
    before = meeting()
    assert before.starts_at is not None
    now = replace(before, status=status, starts_at=before.starts_at + timedelta(hours=hours))
    page = notice(RunKind.CANCELLED_MEETING, meeting=now, before=before, why=None, paragraphs=())
    assert page.subject.startswith(subject)
    assert says in re.sub(r"\s+", " ", page.text)
    assert says in re.sub(r"\s+", " ", page.html or "")
    assert "You asked to be told at once" in page.text


def test_an_operators_markdown_keeps_its_links_and_nothing_that_could_harm() -> None:
    words = (
        "Read [our page](https://x.example/a).\n\n- one\n- two\n\n<script>no</script> {{ 7 * 7 }} -dgUnsub-"
    )
    page = notice(RunKind.SERVICE, paragraphs=(), markdown=words)
    html = page.html or ""
    assert 'href="https://x.example/a"' in html
    assert "<li" in html
    assert "<script>" not in html
    assert "&#45;dgUnsub-" in html
    assert "https://x.example/a" in page.text

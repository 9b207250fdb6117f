"""What a resident reads: which councils, what was decided, what is coming up; found again by searching."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta

import httpx
import pytest

from digest.links import Purpose
from digest.model import MeetingStatus, Page, Support
from digest.pipeline import publish
from digest.store import pages
from digest.wiring import Hall
from tests.integration.web.reading_town import HOSTILE, NOW, Town


@pytest.fixture
def town(hall: Hall) -> Town:
    made = Town(hall.database)
    made.council("aber", "Aber Town Council")
    made.council("bury", "Bury Council", Support.LIMITED)
    return made


def words_of(page: httpx.Response) -> str:
    """The text that is read, without tags."""
    return " ".join(re.sub(r"<[^>]+>", " ", page.text.split("<main")[1].split("</main")[0]).split())


# --- councils ----------------------------------------------------------------------------------------


def test_the_list_says_who_is_there_how_far_and_how_much_comes(town: Town, client: httpx.Client) -> None:
    town.meeting("aber", "Cabinet", at=date(2025, 9, 9))
    town.meeting("aber", "Cabinet", at=date(2025, 9, 12), status=MeetingStatus.CANCELLED)
    town.meeting("aber", "Cabinet", at=date(2025, 12, 1))
    said = words_of(client.get("/councils"))
    assert "Aber Town Council One meeting in the next two weeks" in said
    assert "Bury Council Limited support No meeting in the next two weeks" in said


def test_the_list_narrows_without_a_script(town: Town, client: httpx.Client) -> None:
    said = words_of(client.get("/councils?q=bury"))
    assert "Bury" in said
    assert "Aber" not in said


def test_a_council_says_what_it_decided_and_what_is_coming_up(town: Town, client: httpx.Client) -> None:
    town.summary()
    town.meeting("aber", "Planning", at=NOW + timedelta(days=3))
    said = words_of(client.get("/councils/aber"))
    assert "Wednesday 10 September, 6pm" in said
    assert "Will the library close? The library stays open." in said


def test_a_council_with_limited_support_says_what_that_means(town: Town, client: httpx.Client) -> None:
    said = words_of(client.get("/councils/bury"))
    assert "letters carry no summaries" in said
    assert "Nobody waits for it yet" in said


def test_a_council_page_leads_to_its_letter_feed_and_calendar(town: Town, client: httpx.Client) -> None:
    page = client.get("/councils/aber").text
    for link in ("/?council=aber#subscribe", "/councils/aber/feed.xml", "/councils/aber/calendar.ics"):
        assert f'href="{link}"' in page
        assert client.get(link.split("#")[0].replace("/?council=aber", "/councils/aber")).status_code == 200


def test_one_committee_has_its_own_view_under_any_name_it_had(town: Town, client: httpx.Client) -> None:
    town.meeting("aber", "Planning & Highways", at=date(2025, 9, 9), title="Sea wall")
    town.meeting("aber", "Cabinet", at=date(2025, 9, 9), title="Budget")
    said = words_of(client.get("/councils/aber?committee=planning-and-highways"))
    assert "Sea wall" in said
    assert "Budget" not in said
    assert client.get("/councils/aber?committee=gardening").status_code == 404


def test_a_draft_and_a_withdrawn_summary_are_not_shown(town: Town, client: httpx.Client) -> None:
    id_ = town.summary(question="Is this right?")
    assert "Is this right?" in client.get("/councils/aber").text
    publish.withdraw(town.database, id_, why="Two reports were mixed up.", now=NOW)
    assert "Is this right?" not in client.get("/councils/aber").text


def test_lists_go_on_page_by_page_and_name_each_meeting_once(town: Town, client: httpx.Client) -> None:
    ids = {
        town.meeting("aber", "Cabinet", at=NOW + timedelta(days=n // 3 + 1), key=str(n)) for n in range(70)
    }
    seen: list[str] = []
    link = "/councils/aber/coming"
    for _ in range(3):
        page = client.get(link).text
        seen += re.findall(r'class="row" href="/meetings/(\d+)"', page)
        found = re.search(r'rel="next" href="([^"]+)"', page)
        link = found[1].replace("&amp;", "&") if found else ""
    assert not link
    assert sorted(map(int, seen)) == sorted(ids)


@pytest.mark.parametrize(
    "path",
    ["/councils/nowhere", "/councils/aber/else", "/councils/aber/past?after=x", "/meetings/0", "/meetings/x",
     "/meetings/99999999999999999999", "/search?after=2025-99-99.1", "/search?q=a&council=nowhere",
     "/councils/aber/coming?after=2025-09-01.9%C2%B2"],
)  # fmt: skip
def test_what_is_not_there_is_a_kind_page(town: Town, client: httpx.Client, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert "There is no such page" in answer.text


# --- a meeting ---------------------------------------------------------------------------------------


def test_a_meeting_shows_everything_known_of_it(town: Town, client: httpx.Client) -> None:
    id_ = town.meeting_of(town.summary())
    said = words_of(client.get(f"/meetings/{id_}"))
    for words in (
        "Will the library close?", "Wednesday 3 September, 6pm", "Summary AI summary", "It costs £40,000",
        "And the swimming pool?", "Item 5 Keep the library open. carried", "Agenda Agenda frontsheet",
        "Cllr Ann Ash Chair Independent · Elm", "Bo Birch", "Libraries", "Watch the meeting",
    ):  # fmt: skip
        assert words in said


def test_a_meeting_without_a_summary_says_so(town: Town, client: httpx.Client) -> None:
    past = town.meeting("aber", "Cabinet", at=date(2025, 9, 1))
    ahead = town.meeting("aber", "Cabinet", at=NOW + timedelta(days=9), status=MeetingStatus.CANCELLED)
    assert "There is no summary of this meeting yet" in client.get(f"/meetings/{past}").text
    said = words_of(client.get(f"/meetings/{ahead}"))
    assert "Cancelled. This meeting will not take place" in said


def test_a_withdrawn_summary_is_said_to_be_so_with_its_reason(town: Town, client: httpx.Client) -> None:
    summary = town.summary()
    publish.withdraw(town.database, summary, why="Two reports were mixed up.", now=NOW)
    said = words_of(client.get(f"/meetings/{town.meeting_of(summary)}"))
    assert "We withdrew our summary of this meeting on 7 September. Two reports were mixed up." in said
    assert "library" not in said


def test_a_corrected_summary_says_when(town: Town, client: httpx.Client) -> None:
    town.summary(lead="The library closes.")
    id_ = town.meeting_of(town.summary(lead="The library stays open.", now=NOW + timedelta(days=1)))
    said = words_of(client.get(f"/meetings/{id_}"))
    assert "Corrected on 8 September" in said
    assert "The library closes." not in said


def test_both_languages_of_a_summary_can_be_read(town: Town, client: httpx.Client) -> None:
    town.summary()
    id_ = town.meeting_of(town.summary(language="cy", question="A fydd y llyfrgell yn cau?"))
    english, welsh = client.get(f"/meetings/{id_}"), client.get(f"/meetings/{id_}?text=cy")
    assert f'href="/meetings/{id_}?text=cy" lang="cy"' in english.text
    assert "A fydd y llyfrgell yn cau?" in welsh.text
    assert '<h1 lang="cy">' in welsh.text


def test_a_hostile_summary_is_text_and_no_more(town: Town, client: httpx.Client) -> None:
    id_ = town.meeting_of(
        town.summary(
            lead=HOSTILE, question=HOSTILE, body=HOSTILE, topics=[HOSTILE[:80]], committee="<b>C</b>"
        )
    )
    for path in (f"/meetings/{id_}", "/councils/aber", "/search?q=alert", "/search?q=%3Cscript%3E"):
        page = client.get(path).text.split("<main")[1]
        assert "<script" not in page
        assert "<img" not in page
        assert 'href="javascript' not in page
        assert "<b>C</b>" not in page


# --- search ------------------------------------------------------------------------------------------


def test_searching_finds_words_with_their_day_and_place(town: Town, client: httpx.Client) -> None:
    town.summary()
    page = client.get("/search?q=librar+open")
    assert "The <mark>library</mark> stays <mark>open</mark>." in page.text
    assert "Wednesday 3 September" in page.text
    assert "Nothing was found" in client.get("/search?q=librar&council=bury").text


def test_searching_finds_meetings_by_name_and_goes_on(town: Town, client: httpx.Client) -> None:
    for n in range(20):
        town.meeting("aber", "Harbour Board", at=date(2025, 10, 1) + timedelta(days=n))
    page = client.get("/search?q=harbour").text
    assert "All meetings of that name" in page
    listed = client.get("/search?q=harbour&in=meetings").text
    found = re.search(r'rel="next" href="([^"]+)"', listed)
    assert found
    rest = client.get(found[1].replace("&amp;", "&")).text
    ids = re.findall(r'class="row" href="/meetings/(\d+)"', listed + rest)
    assert len(ids) == len(set(ids)) == 20


# --- letters in the browser --------------------------------------------------------------------------


PAGE = Page(
    "Your week",
    "What was decided",
    '<!doctype html><html lang="en"><body style="color:#111">Hello-dgNameH-, <a href="-dgUnsub-">leave</a> '
    '<a href="-dgPrefs-">choose</a> <a href="-dgView-">view</a> <a href="-dgAction-">act</a></body></html>',
    "Hello-dgNameT-, leave: -dgUnsub-",
)


def view_of(hall: Hall, page: Page) -> str:
    with hall.database.write() as connection:
        id_ = pages.page_ids_of(connection, [page], now=NOW)[0]
    return f"/view/{hall.signer.token(Purpose.VIEW, id_, on=NOW.date())}"


def test_a_letter_in_the_browser_is_nobodys(hall: Hall, client: httpx.Client) -> None:
    answer = client.get(view_of(hall, PAGE))
    assert answer.status_code == 200
    assert set(re.findall(r'href="([^"]*)"', answer.text)) == {"http://testserver/"}
    assert "-dg" not in answer.text
    assert "noindex" in answer.headers["X-Robots-Tag"]
    assert "script-src" not in answer.headers["Content-Security-Policy"]
    assert answer.headers["Content-Security-Policy"].startswith(
        "default-src 'none'; style-src 'unsafe-inline'"
    )
    assert answer.headers["Content-Language"] == "en"


def test_a_text_letter_is_shown_as_text(hall: Hall, client: httpx.Client) -> None:
    said = words_of(client.get(view_of(hall, Page("Subject", "", None, "Hello-dgNameT-, <b>", "en"))))
    assert "Hello, &lt;b&gt;" in said


def test_a_letter_that_is_not_kept_any_more_says_so_kindly(hall: Hall, client: httpx.Client) -> None:
    gone = f"/view/{hall.signer.token(Purpose.VIEW, 4711, on=NOW.date())}"
    answer = client.get(gone)
    assert answer.status_code == 410
    assert "This letter is not kept any more" in answer.text


@pytest.mark.parametrize("token", ["preview", "x" * 37, "a" * 36 + "1"])
def test_a_damaged_link_of_a_letter_says_so(hall: Hall, client: httpx.Client, token: str) -> None:
    assert client.get(f"/view/{token}").status_code == 404


def test_a_link_for_something_else_opens_no_letter(hall: Hall, client: httpx.Client) -> None:
    token = hall.signer.token(Purpose.UNSUBSCRIBE, 1, on=NOW.date())
    assert client.get(f"/view/{token}").status_code == 404


def test_welsh_is_complete_on_a_council_page(town: Town, client: httpx.Client) -> None:
    town.meeting("aber", "Cabinet", at=datetime(2025, 9, 10, 17, tzinfo=NOW.tzinfo))
    said = words_of(client.get("/councils/bury?lang=cy"))
    assert "Cefnogaeth gyfyngedig" in said
    assert "Limited support" not in said


def test_another_language_keeps_what_was_asked(town: Town, client: httpx.Client) -> None:
    page = client.get("/search?q=a%20%26b&council=aber").text
    assert 'href="?q=a%20%26b&amp;council=aber&amp;lang=cy"' in page

"""Polling real servers on this machine: what councils tell becomes meetings and lines, once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from digest.intake.child import ParserPool
from digest.store.database import Database
from tests.integration.towns import Poller, Web, agenda, feed_of, poller

HOUR = timedelta(hours=1)
EARLY, LATE = "Mon, 23 Nov 2026 10:00:00 GMT", "Tue, 24 Nov 2026 10:00:00 GMT"
TUESDAY, THURSDAY = "Tuesday, 8th December, 2026 6.00 pm", "Thursday, 10th December, 2026 6.00 pm"


@pytest.fixture(scope="module")
def pool() -> Iterator[ParserPool]:
    with ParserPool(2) as made:
        yield made


@pytest.fixture
def web() -> Iterator[Web]:
    made = Web()
    yield made
    made.close()


@pytest.fixture
def town(database: Database, pool: ParserPool) -> Iterator[Poller]:
    with poller(database, pool) as made:
        yield made


# --- the corpus ---------------------------------------------------------------------------------------

CORPUS = [
    "01_moderngov_committee_events", "02_moderngov_sitewide_bom", "04_moderngov_committee_names",
    "09_moderngov_no_guid_no_pubdate", "13_moderngov_utf16", "30_rss_ev_startdate", "35_jsonfeed",
    "36_ical_moderngov_single",
]  # fmt: skip


def test_served_files_of_the_corpus_become_their_meetings(town: Poller, web: Web, shared: Path) -> None:
    wanted: dict[str, set[tuple[str, str, str]]] = {}
    for name in CORPUS:
        expected = json.loads((shared / "feeds" / "realistic" / f"{name}.expected.json").read_text())
        body = (shared / "feeds" / "realistic" / expected["file"]).read_bytes()
        town.add(name, web.tell(f"/{name}", body, content_type=expected["http"]["content_type"]))
        wanted[name] = {
            (
                m["committee"],
                str(datetime.fromisoformat(m["starts_at"]).astimezone(UTC))
                if m["starts_at"]
                else m["starts_on"],
                m["status"],
            )
            for m in expected["meetings"]
        }
    counts = town.poll()
    assert (counts.feeds, counts.failures) == (len(CORPUS), [])
    assert {name: set(town.known(name)) for name in CORPUS} == wanted


def test_polling_again_changes_nothing_and_says_nothing(town: Poller, web: Web, shared: Path) -> None:
    for name in CORPUS:
        expected = json.loads((shared / "feeds" / "realistic" / f"{name}.expected.json").read_text())
        body = (shared / "feeds" / "realistic" / expected["file"]).read_bytes()
        town.add(name, web.tell(f"/{name}", body, content_type=expected["http"]["content_type"]))
    first = town.poll()
    lines = town.lines()
    counts = town.poll(later=HOUR)
    assert first.new > len(CORPUS)
    assert (counts.unchanged, counts.new, counts.changed, counts.cancelled) == (len(CORPUS), 0, 0, 0)
    assert town.lines() == lines


def test_what_is_no_meeting_is_kept_for_the_operator_with_its_reason(town: Poller, web: Web) -> None:
    url = web.tell(
        "/rss", feed_of({"title": "Issue Published: A bridge", "link": "/ieIssueDetails.aspx?IId=1"})
    )
    town.add("anytown", url)
    town.poll()
    town.poll(later=HOUR)
    ((title, why),) = town.leftovers(url)
    assert title == "Issue Published: A bridge"
    assert why


# --- what becomes of a meeting -----------------------------------------------------------------------


def test_a_meeting_is_announced_moved_cancelled_and_taken_back(town: Poller, web: Web) -> None:
    url = web.tell("/rss", feed_of(agenda(1, TUESDAY, "Cabinet", said=EARLY)))
    town.add("anytown", url)
    assert town.poll().new == 1
    web.tell("/rss", feed_of(agenda(1, THURSDAY, "Cabinet", said=LATE)))
    assert town.poll(later=HOUR).changed == 1
    gone = "Wed, 25 Nov 2026 10:30:00 GMT"
    web.tell("/rss", feed_of(agenda(1, f"{THURSDAY}, CANCELLED", "Cabinet", said=gone)))
    assert town.poll(later=HOUR).cancelled == 1
    back = "Wed, 25 Nov 2026 11:30:00 GMT"
    web.tell("/rss", feed_of(agenda(1, THURSDAY, "Cabinet", said=back)))
    assert town.poll(later=HOUR).changed == 1
    assert [kind for kind, _ in town.lines()] == [
        "meeting_new", "meeting_changed", "meeting_cancelled", "meeting_changed",
    ]  # fmt: skip
    assert len({item for _, item in town.lines()}) == 1
    assert town.known("anytown") == [("Cabinet", "2026-12-10 18:00:00+00:00", "scheduled")]


def test_a_meeting_that_left_the_feed_is_not_cancelled(town: Poller, web: Web) -> None:
    town.add("anytown", web.tell("/rss", feed_of(agenda(1, TUESDAY, "Cabinet"))))
    town.poll()
    web.tell("/rss", feed_of())
    assert town.poll(later=HOUR).cancelled == 0
    assert [status for _, _, status in town.known("anytown")] == ["scheduled"]


EVENT = "https://www.littlewick.example/meetings/finance"


def page_feed(when: str) -> str:
    """A feed without ids: one page that says when its committee meets."""
    feed = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": "Littlewick",
        "home_page_url": "https://www.littlewick.example/",
        "items": [{"id": EVENT, "url": EVENT, "title": f"Finance Committee - {when}"}],
    }
    return json.dumps(feed)


def test_a_meeting_without_an_id_that_moves_stays_one_meeting(town: Poller, web: Web) -> None:
    url = web.tell("/feed.json", page_feed(TUESDAY), content_type="application/feed+json")
    town.add("littlewick", url)
    town.poll()
    web.tell("/feed.json", page_feed(THURSDAY), content_type="application/feed+json")
    assert (town.poll(later=HOUR).changed, town.poll(later=HOUR).unchanged) == (1, 1)
    assert [start for _, start, _ in town.known("littlewick")] == ["2026-12-10 18:00:00+00:00"]
    town.poll(later=timedelta(days=30))
    assert len(town.known("littlewick")) == 1


# --- two sources --------------------------------------------------------------------------------------


def test_two_feeds_that_carry_one_meeting_are_one_meeting(town: Poller, web: Web) -> None:
    item = agenda(1, TUESDAY, "Cabinet", said=EARLY)
    town.add("anytown", web.tell("/site", feed_of(item)))
    town.add("anytown", web.tell("/committee", feed_of(item)))
    counts = town.poll()
    assert (counts.new, len(town.known("anytown")), len(town.lines())) == (1, 1, 1)


def test_a_feed_without_ids_finds_the_meeting_of_one_with_ids(town: Poller, web: Web) -> None:
    town.add("anytown", web.tell("/rss", feed_of(agenda(1, TUESDAY, "Finance Committee"))))
    town.poll()
    url = web.tell("/feed.json", page_feed(TUESDAY), content_type="application/feed+json")
    town.add("anytown", url)
    assert town.poll(later=HOUR).new == 0
    assert (len(town.known("anytown")), len(town.lines())) == (1, 1)


def test_two_meetings_of_one_committee_at_one_time_stay_two(town: Poller, web: Web) -> None:
    feed = feed_of(agenda(1, TUESDAY, "Licensing Panel"), agenda(2, TUESDAY, "Licensing Panel"))
    town.add("anytown", web.tell("/rss", feed))
    assert town.poll().new == 2


def test_two_feeds_of_different_age_do_not_take_turns(town: Poller, web: Web) -> None:
    town.add("anytown", web.tell("/old", feed_of(agenda(1, TUESDAY, "Cabinet", said=EARLY))))
    town.add("anytown", web.tell("/new", feed_of(agenda(1, THURSDAY, "Cabinet", said=LATE))))
    town.poll()
    town.poll(later=HOUR)
    lines = town.lines()
    for _ in range(3):
        counts = town.poll(later=HOUR)
        assert (counts.changed, counts.new) == (0, 0)
    assert town.lines() == lines
    assert [start for _, start, _ in town.known("anytown")] == ["2026-12-10 18:00:00+00:00"]


def test_a_feed_in_another_language_does_not_rename_to_and_fro(town: Poller, web: Web) -> None:
    english, welsh = "Standards Committee", "Y Pwyllgor Safonau"
    first = web.tell("/en", feed_of(agenda(1, TUESDAY, english, said=EARLY)))
    town.add("anytown", first)
    town.poll()
    town.add("anytown", web.tell("/cy", feed_of(agenda(1, TUESDAY, welsh, said=LATE))))
    town.poll(later=HOUR)
    for _ in range(2):
        counts = town.poll(later=HOUR)
        assert (counts.changed, counts.unchanged) == (0, 2)
    assert [committee for committee, _, _ in town.known("anytown")] == [english]


def test_two_councils_on_one_site_get_their_own_committees(town: Poller, web: Web) -> None:
    ours, theirs = (
        agenda(1, TUESDAY, "Cabinet", committee_id=101),
        agenda(2, TUESDAY, "Cabinet", committee_id=102),
    )
    town.add("harrow", web.tell("/empty", feed_of()))
    town.add("brent", web.tell("/shared", feed_of(ours, theirs)), c102="harrow")
    town.poll()
    assert (len(town.known("brent")), len(town.known("harrow"))) == (1, 1)


def test_committees_that_a_shared_feed_is_not_added_for_are_left_out(town: Poller, web: Web) -> None:
    feed = feed_of(
        agenda(1, TUESDAY, "Cabinet", committee_id=101), agenda(2, TUESDAY, "Audit", committee_id=102)
    )
    town.add("brent", web.tell("/none", feed_of()))
    url = web.tell("/shared", feed)
    town.add("brent", url, c101="brent")
    town.poll()
    assert [committee for committee, _, _ in town.known("brent")] == ["Cabinet"]
    assert [title for title, _ in town.leftovers(url)] == [f"Audit - {TUESDAY}"]


YOUTUBE = """<?xml version="1.0"?><feed xmlns:yt="http://www.youtube.com/xml/schemas/2015"
 xmlns="http://www.w3.org/2005/Atom"><title>Anytown live</title><entry><id>yt:video:AbCdEfGhIj0</id>
 <yt:videoId>AbCdEfGhIj0</yt:videoId><title>Cabinet, Tuesday 8 December 2026, 6.00pm</title>
 <link rel="alternate" href="https://www.youtube.com/watch?v=AbCdEfGhIj0"/>
 <published>2026-11-24T20:11:40+00:00</published></entry></feed>"""


def test_a_webcast_waits_for_its_meeting_and_makes_none(town: Poller, web: Web) -> None:
    town.add("anytown", web.tell("/videos", YOUTUBE, ETag='"one"'))
    assert (town.poll().new, town.known("anytown")) == (0, [])
    town.add("anytown", web.tell("/rss", feed_of(agenda(1, TUESDAY, "Cabinet"))))
    town.poll(later=HOUR)
    town.poll(later=HOUR)
    with town.database.read() as connection:
        from sqlalchemy import text

        videos = connection.scalars(text("SELECT video_url FROM meeting")).all()
    assert videos == ["https://www.youtube.com/watch?v=AbCdEfGhIj0"]


# --- how feeds stand ---------------------------------------------------------------------------------


def test_an_unchanged_feed_is_not_sent_again(town: Poller, web: Web) -> None:
    body = feed_of(agenda(1, TUESDAY, "Cabinet")).encode()

    def page(headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        is_known = headers.get("if-none-match") == '"one"'
        return (304, {}, b"") if is_known else (200, {"Content-Type": "text/xml", "ETag": '"one"'}, body)

    web.pages["/rss"] = page
    town.add("anytown", web.url + "/rss")
    assert (town.poll().new, town.poll(later=HOUR).unchanged) == (1, 1)
    assert town.feed(web.url + "/rss").state == "fresh"


def test_the_validators_of_a_login_page_are_not_kept(town: Poller, web: Web) -> None:
    url = web.tell("/rss", "<html><title>Log in</title></html>", content_type="text/html", ETag='"login"')
    town.add("anytown", url)
    assert town.poll().failed == 1
    assert town.feed(url).etag is None


def test_one_bad_feed_does_not_stop_the_good_ones(town: Poller, web: Web) -> None:
    web.pages["/broken"] = (500, {}, b"")
    town.add("anytown", web.url + "/broken")
    for n in range(3):
        town.add("anytown", web.tell(f"/rss{n}", feed_of(agenda(n, TUESDAY, f"Panel {n}", committee_id=n))))
    counts = town.poll()
    assert (counts.feeds, counts.failed, counts.new) == (4, 1, 3)
    assert [(council, url) for council, url, _ in counts.failures] == [("anytown", web.url + "/broken")]


def test_a_feed_that_is_gone_is_retired_and_never_asked_again(town: Poller, web: Web) -> None:
    url = web.url + "/gone"
    web.pages["/gone"] = (410, {}, b"")
    town.add("anytown", url)
    town.poll()
    assert (town.feed(url).state, town.feed(url).next_poll_at) == ("retired", None)
    assert town.poll(later=timedelta(days=30)).feeds == 0


def test_a_gatekeeper_is_flagged_and_waited_for_a_day(town: Poller, web: Web) -> None:
    url = web.url + "/shut"
    web.pages["/shut"] = (403, {}, b"")
    town.add("anytown", url)
    town.poll()
    feed = town.feed(url)
    assert feed.state == "blocked"
    assert feed.next_poll_at is not None
    assert feed.next_poll_at - town.now > 20 * HOUR


def test_a_permanent_redirect_is_adopted_after_repeated_sight(town: Poller, web: Web) -> None:
    new = web.tell("/new", feed_of(agenda(1, TUESDAY, "Cabinet")))
    web.pages["/old"] = (301, {"Location": "/new"}, b"")
    town.add("anytown", web.url + "/old")
    for _ in range(2):
        town.poll(later=timedelta(days=1))
    assert town.feed(web.url + "/old").state == "fresh"
    town.poll(later=timedelta(days=1))
    assert town.feed(new).council == "anytown"


def test_a_feed_that_moved_to_another_of_its_council_is_retired(town: Poller, web: Web) -> None:
    town.add("anytown", web.tell("/new", feed_of(agenda(1, TUESDAY, "Cabinet"))))
    web.pages["/old"] = (301, {"Location": "/new"}, b"")
    town.add("anytown", web.url + "/old")
    for _ in range(4):
        assert town.poll(later=timedelta(days=1)).failed == 0
    assert town.feed(web.url + "/old").state == "retired"
    assert town.poll(later=timedelta(days=1)).feeds == 1


def test_a_council_is_silent_only_while_all_its_feeds_fail(town: Poller, web: Web) -> None:
    from digest.store import feeds

    def silent() -> dict[str, datetime]:
        with town.database.read() as connection:
            return feeds.silences(connection, before=town.now - timedelta(days=3))

    town.add("anytown", web.tell("/one", feed_of(agenda(1, TUESDAY, "Cabinet"))))
    town.add("anytown", web.tell("/two", feed_of()))
    town.poll()
    since = town.now
    town.now += timedelta(days=10)
    assert silent() == {}  # nobody asked: that is not the council's silence
    web.pages["/one"] = web.pages["/two"] = (500, {}, b"")
    town.poll()
    assert silent() == {"anytown": since}
    web.tell("/two", feed_of())
    town.poll(later=HOUR)
    assert silent() == {}


def test_a_feed_is_not_asked_before_it_is_due(town: Poller, web: Web) -> None:
    town.add(
        "anytown",
        web.tell("/rss", feed_of(agenda(1, TUESDAY, "Cabinet")), **{"Cache-Control": "max-age=36000"}),
    )
    town.poll(is_all=False)
    assert town.poll(later=5 * HOUR, is_all=False).feeds == 0
    assert town.poll(later=10 * HOUR, is_all=False).feeds == 1

"""Beyond ModernGov: the platforms' own ways to say when a body meets."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.intake.feeds import checked, rss

TOWN = "https://www.anytown-tc.gov.uk/feed/"
TOWN_LINK = "https://www.anytown-tc.gov.uk/"


def town(title: str, text: str = "", **more: str) -> dict[str, Any]:
    item = {"title": title, "link": f"{TOWN_LINK}?p=1", "pubDate": "Tue, 24 Nov 2026 09:00:00 +0000"}
    return checked(rss(item | {"description": text} | more, link=TOWN_LINK), url=TOWN)


@pytest.mark.parametrize(
    ("title", "committee", "starts_at"),
    [
        (
            "Agenda for Full Council Meeting – Monday 7th December 2026 at 7pm",
            "Full Council",
            "2026-12-07T19:00",
        ),
        ("Extraordinary Meeting of the Council on 10/12/2026 @ 19:00", "Council", "2026-12-10T19:00"),
        ("Jobs & Markets Committee 3rd December 2026 7.30pm", "Jobs & Markets Committee", "2026-12-03T19:30"),
        ("Allotments Committee 3rd December 2026 7.30pm", "Allotments Committee", "2026-12-03T19:30"),
        ("Monday 7th December 2026 7pm – Planning Committee", "Planning Committee", "2026-12-07T19:00"),
        ("Notice of Meeting: Parish Council, 7 December 2026, 19:30", "Parish Council", "2026-12-07T19:30"),
        ("Cyfarfod y Cyngor Tref – Nos Lun 7 Rhagfyr 2026, 7yh", "Cyngor Tref", "2026-12-07T19:00"),
    ],
)
def test_a_town_councils_news_names_body_and_time(title: str, committee: str, starts_at: str) -> None:
    (meeting,) = town(title)["meetings"]
    assert meeting["committee"] == committee
    assert meeting["starts_at"].startswith(starts_at)


def test_a_date_in_the_text_counts_when_the_title_has_none() -> None:
    (meeting,) = town("Planning Committee", "<p>To be held on Wednesday 9 December at 6.30pm</p>")["meetings"]
    assert meeting["starts_at"].startswith("2026-12-09T18:30")


def test_a_time_and_a_place_that_the_text_labels_are_taken() -> None:
    (meeting,) = town("Planning Committee: 14 December 2026", "Time: 6.30pm. Venue: Town Hall, High Street.")[
        "meetings"
    ]
    assert meeting["starts_at"].startswith("2026-12-14T18:30")
    assert meeting["location"] == "Town Hall, High Street"


def test_a_title_that_names_no_body_has_that_of_its_category() -> None:
    (meeting,) = town("Agenda 07.12.26", category="Parish Council")["meetings"]
    assert (meeting["committee"], meeting["starts_on"]) == ("Parish Council", "2026-12-07")


def test_minutes_say_that_the_meeting_was_held() -> None:
    (meeting,) = town("Minutes of the Finance & Policy Committee held on 17 November 2026")["meetings"]
    assert (meeting["committee"], meeting["status"]) == ("Finance & Policy Committee", "held")


@pytest.mark.parametrize(
    "title",
    [
        "Christmas Lights Switch On, Saturday 28 November 2026",
        "Council appoints new clerk from 1 January 2027",
        "Council tax consultation closes 3 January 2027",
        "Road closure 3 December 2026",
        "Council newsletter, 3 December 2026",
        "Your council will be closed on 25 December 2026",
        "Bin collections change on Monday 7 December 2026",
        "Planning Committee",
    ],
)
def test_news_is_never_guessed_into_a_meeting(title: str) -> None:
    found = town(title)
    assert found["meetings"] == []
    assert [n["title"] for n in found["not_meetings"]] == [title]


def test_papers_are_links_of_the_text_by_kind() -> None:
    links = "".join(
        f'<a href="{TOWN_LINK}{name}">{label}</a>'
        for name, label in (("a.pdf", "Agenda"), ("m.pdf", "Draft minutes"), ("r.pdf", "Appendix 2"))
    )
    foreign = '<a href="https://elsewhere.example/x.pdf">Agenda</a> <a href="javascript:x">Agenda</a>'
    (meeting,) = town("Full Council 7 December 2026 7pm", links + foreign)["meetings"]
    assert [(d["kind"], d["title"]) for d in meeting["documents"]] == [
        ("agenda", "Agenda"),
        ("minutes", "Draft minutes"),
        ("additional", "Appendix 2"),
    ]


def test_the_publication_is_never_the_meeting() -> None:
    assert town("Planning Committee agenda published")["meetings"] == []


CIVICPLUS = "https://www.example-wa.gov/RSSFeed.aspx?ModID=65&CID=All-0"
AGENDA = "https://www.example-wa.gov/AgendaCenter/ViewFile/"


def test_an_agenda_centre_gives_papers_of_meetings() -> None:
    body = rss(
        {
            "title": "December 1, 2026 City Council Regular Meeting Agenda",
            "link": f"{AGENDA}Agenda/_12012026-456",
        },
        {
            "title": "City Council - Dec 1, 2026 7:00 PM - Packet",
            "link": f"{AGENDA}Agenda/_12012026-456?packet=true",
        },
        {"title": "Planning Commission", "link": f"{AGENDA}Agenda/_12092026-460"},
        {"title": "City Council Minutes - November 17, 2026 (PDF)", "link": f"{AGENDA}Minutes/_11172026-450"},
        link="https://www.example-wa.gov/AgendaCenter",
    )
    found = checked(body, url=CIVICPLUS)["meetings"]
    assert [(m["committee"], m["status"]) for m in found] == [
        ("City Council", "scheduled"),
        ("Planning Commission", "scheduled"),
        ("City Council", "held"),
    ]
    assert [d["kind"] for d in found[0]["documents"]] == ["agenda", "reports_pack"]
    assert found[0]["starts_at"].startswith("2026-12-01T19:00")
    assert found[1]["starts_on"] == "2026-12-09"


@pytest.mark.parametrize(
    ("times", "starts_at"),
    [("07:00 PM - 9:00 PM", "2026-12-01T19:00:00+00:00"), ("12:00 AM - 11:59 PM", None)],
)
def test_a_calendars_whole_day_is_no_midnight(times: str, starts_at: str | None) -> None:
    item = "<title>City Council</title><link>https://www.example-wa.gov/Calendar.aspx?EID=7</link>"
    event = f"<c:EventDates>December 1, 2026</c:EventDates><c:EventTimes>{times}</c:EventTimes>"
    head = '<rss version="2.0" xmlns:c="https://www.example-wa.gov/Calendar.aspx"><channel><title>x</title>'
    body = f"{head}<item>{item}{event}</item></channel></rss>"
    url = "https://www.example-wa.gov/RSSFeed.aspx?ModID=58&CID=All-calendar.xml"
    (meeting,) = checked(body, url=url, country="us")["meetings"]
    assert meeting["starts_at"] == starts_at
    assert starts_at or meeting["starts_on"] == "2026-12-01"


def test_an_empty_agenda_centre_is_an_empty_feed() -> None:
    found = checked(rss(), url=CIVICPLUS)
    assert (found["error"], found["meetings"]) == (None, [])


def test_a_town_calendars_fairs_are_no_meetings(shared: Any) -> None:
    body = (shared / "feeds/real/yiyangwan_civicplus_redmond.xml").read_bytes()
    found = checked(body, url="https://www.redmond.gov/RSSFeed.aspx?ModID=58&CID=All-calendar.xml")
    assert [m["committee"] for m in found["meetings"]] == ["City Council"]
    assert len(found["not_meetings"]) == 3


def test_real_legistar_items_are_read(shared: Any) -> None:
    for name, committee, status in (
        ("bellevue", "Arts Commission", "cancelled"),
        ("mansfield", "City Council", "scheduled"),
    ):
        body = (shared / f"feeds/real/legistar_{name}_item_fragment.xml").read_bytes()
        (meeting,) = checked(body, url=f"https://{name}.legistar.com/Feed.ashx?M=Calendar")["meetings"]
        assert (meeting["committee"], meeting["status"]) == (committee, status)


def test_a_real_cmis_month_is_read_near_the_day_of_reading(shared: Any) -> None:
    body = (shared / "feeds/real/lgsf_cmis_calendar_month.html").read_bytes()
    url = "https://birmingham.cmis.uk.com/birmingham/Meetings/tabid/70/Date/2026-06-01/Default.aspx"
    found = checked(body, url=url, content_type="text/html")["meetings"]
    assert [m["starts_at"][:16] for m in found] == [
        "2026-06-08T10:00", "2026-06-09T10:00", "2026-06-09T12:00", "2026-06-30T14:00",
    ]  # fmt: skip


def test_the_web_service_is_read(shared: Any) -> None:
    body = (shared / "feeds/real/lgsf_moderngov_getmeetings.xml").read_bytes()
    url = "https://democracy.example.gov.uk/mgwebservice.asmx/GetMeetings?lCommitteeId=144"
    found = checked(body, url=url)
    assert found["dialect"] == "moderngov-ws"
    assert [m["status"] for m in found["meetings"]] == ["cancelled", "scheduled"]
    assert (
        found["meetings"][0]["url"]
        == "https://democracy.example.gov.uk/ieListDocuments.aspx?CId=144&MId=4966"
    )


CALENDAR = "https://www.example.gov.uk/council-meetings.ics"


def calendar(*events: str) -> list[dict[str, Any]]:
    body = "".join(f"BEGIN:VEVENT\n{e}\nEND:VEVENT\n" for e in events)
    text = f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:x\n{body}END:VCALENDAR\n".replace("\n", "\r\n")
    found = checked(text, url=CALENDAR, content_type="text/calendar")
    assert found["dialect"] == "ical"
    return list(found["meetings"])


@pytest.mark.parametrize(
    ("start", "at"),
    [
        ("DTSTART:20261207T190000Z", "2026-12-07T19:00:00+00:00"),
        ("DTSTART:20261207T190000", "2026-12-07T19:00:00+00:00"),
        ("DTSTART;TZID=Europe/London:20260707T190000", "2026-07-07T19:00:00+01:00"),
        ("DTSTART;TZID=GMT Standard Time:20260707T190000", "2026-07-07T19:00:00+01:00"),
        ("DTSTART;TZID=Eastern Standard Time:20261207T140000", "2026-12-07T19:00:00+00:00"),
        ("DTSTART;TZID=Nowhere/Else:20261207T190000", "2026-12-07T19:00:00+00:00"),
    ],
)
def test_a_calendars_zone_is_known_by_any_of_its_names(start: str, at: str) -> None:
    (meeting,) = calendar(f"UID:1\n{start}\nSUMMARY:Planning Committee")
    assert meeting["starts_at"] == at


def test_a_whole_day_is_a_date_without_a_time() -> None:
    (meeting,) = calendar("UID:1\nDTSTART;VALUE=DATE:20261207\nSUMMARY:Full Council")
    assert (meeting["starts_at"], meeting["starts_on"]) == (None, "2026-12-07")


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        ("STATUS:CANCELLED\nSUMMARY:Full Council", "cancelled"),
        ("SUMMARY:CANCELLED - Full Council", "cancelled"),
        ("STATUS:TENTATIVE\nSUMMARY:Full Council", "provisional"),
        ("STATUS:CONFIRMED\nSUMMARY:Full Council", "scheduled"),
    ],
)
def test_a_calendars_status_is_a_property_or_a_word(lines: str, status: str) -> None:
    (meeting,) = calendar(f"UID:1\nDTSTART:20261207T190000Z\n{lines}")
    assert (meeting["status"], meeting["committee"]) == (status, "Full Council")


RECURRING = "UID:r\nDTSTART;TZID=Europe/London:20261005T190000\nSUMMARY:Planning Committee\n"


def test_a_recurring_meeting_keeps_its_local_time_and_misses_its_exceptions() -> None:
    found = calendar(
        RECURRING + "RRULE:FREQ=MONTHLY;BYDAY=1MO;COUNT=7\nEXDATE;TZID=Europe/London:20261207T190000"
    )
    assert [m["starts_at"] for m in found] == [
        "2026-10-05T19:00:00+01:00", "2026-11-02T19:00:00+00:00", "2027-01-04T19:00:00+00:00",
        "2027-02-01T19:00:00+00:00", "2027-03-01T19:00:00+00:00", "2027-04-05T19:00:00+01:00",
    ]  # fmt: skip


def test_a_moved_instance_takes_the_place_of_the_regular_one() -> None:
    moved = (
        "UID:r\nRECURRENCE-ID;TZID=Europe/London:20261102T190000\n"
        "DTSTART;TZID=Europe/London:20261109T183000\nSUMMARY:Planning Committee"
    )
    found = calendar(RECURRING + "RRULE:FREQ=MONTHLY;BYDAY=1MO;COUNT=2", moved)
    assert sorted(m["starts_at"] for m in found) == ["2026-10-05T19:00:00+01:00", "2026-11-09T18:30:00+00:00"]
    assert len({m["external_id"] for m in found}) == 2


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=SECONDLY;COUNT=100000000",
        "FREQ=DAILY;BYHOUR=1,2,3",
        "FREQ=NONSENSE",
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=31",
    ],
)
def test_a_rule_that_is_no_council_calendar_gives_one_meeting_at_most(rule: str) -> None:
    assert len(calendar(f"{RECURRING}RRULE:{rule}")) <= 1


def test_a_broken_event_does_not_take_the_others_along() -> None:
    good = "UID:2\nDTSTART:20261207T190000Z\nSUMMARY:Full Council"
    found = calendar("UID:1\nDTSTART:soon\nSUMMARY:Audit Committee", good)
    assert [m["committee"] for m in found] == ["Full Council"]


def test_a_calendar_that_is_cut_off_gives_its_whole_events() -> None:
    event = "BEGIN:VEVENT\r\nUID:{0}\r\nSUMMARY:Panel {0}\r\nDTSTART:20261207T190000Z\r\nEND:VEVENT\r\n"
    text = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\n" + event.format(1) + event.format(2)[:-20]
    found = checked(text, url=CALENDAR, content_type="text/calendar")
    assert [m["committee"] for m in found["meetings"]] == ["Panel 1"]
    assert found["is_partial"]


def test_a_file_in_a_description_is_a_paper_and_not_the_meetings_page() -> None:
    site = "https://www.example.gov.uk"
    text = f"DESCRIPTION:Papers: {site}/docs/Agenda.pdf (soon). See {site}/m/1."
    (meeting,) = calendar(f"UID:1\nDTSTART:20261207T190000Z\nSUMMARY:Cabinet\n{text}")
    assert meeting["url"] == f"{site}/m/1"
    assert [(d["kind"], d["url"]) for d in meeting["documents"]] == [("agenda", f"{site}/docs/Agenda.pdf")]


def test_the_later_version_of_an_event_counts() -> None:
    first = "UID:1\nSEQUENCE:0\nDTSTART:20261207T190000Z\nSUMMARY:Full Council"
    second = "UID:1\nSEQUENCE:2\nDTSTART:20261208T190000Z\nSUMMARY:Full Council"
    (meeting,) = calendar(second, first)
    assert meeting["starts_at"].startswith("2026-12-08")


def test_a_dialect_can_be_forced() -> None:
    body = rss({"title": "Planning Committee - Monday, 7th December, 2026 6.00 pm", "link": TOWN_LINK})
    assert checked(body, url=TOWN, dialect="generic")["dialect"] == "generic"
    assert checked(body, url=TOWN, dialect="moderngov")["dialect"] == "moderngov"
    assert checked(body, url=TOWN, dialect="ical")["error"]["kind"] == "not_a_feed"
    assert checked(body, url=TOWN, dialect="nonsense")["error"]["kind"] == "invalid_body"


@pytest.mark.parametrize(
    "body", ["[1, 2]", '{"version": 1, "items": 2}', '{"d": "x"}', "null", '{"items": []}']
)
def test_json_that_is_no_feed_says_so(body: str) -> None:
    found = checked(body, url="https://example.gov.uk/x.json", content_type="application/json")
    assert found["error"]["kind"] == "not_a_feed"


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**12), 10**12)
    | st.floats(allow_nan=False)
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
KEYS = {
    "jsonfeed": [
        "id",
        "url",
        "title",
        "content_html",
        "content_text",
        "date_published",
        "attachments",
        "_meeting",
    ],
    "primegov": [
        "id",
        "committeeId",
        "title",
        "dateTime",
        "date",
        "meetingState",
        "documentList",
        "location",
    ],
    "escribe": ["ID", "MeetingName", "MeetingType", "StartDate", "Url", "Location", "MeetingDocumentLink"],
}


def wrapped(name: str, records: list[object]) -> object:
    if name == "jsonfeed":
        return {"version": "https://jsonfeed.org/version/1.1", "title": 5, "items": records}
    return records if name == "primegov" else {"d": records}


@pytest.mark.parametrize("name", KEYS)
@given(data=st.data())
def test_wrong_types_in_one_record_do_not_cost_the_others(name: str, data: st.DataObject) -> None:
    record = data.draw(st.dictionaries(st.sampled_from(KEYS[name]), values) | values)
    good: dict[str, object] = {
        "id": 7, "url": f"{TOWN_LINK}m/7", "title": "Planning Committee 7 December 2026 7pm",
        "dateTime": "2026-12-07T19:00:00", "documentList": [],
        "ID": "7", "MeetingName": "Planning Committee", "StartDate": "2026/12/07 19:00:00",
    }  # fmt: skip
    body = orjson.dumps(wrapped(name, [record, good]))
    found = checked(body, url=f"{TOWN_LINK}feed.json", dialect=name, content_type="application/json")
    assert found["error"] is None
    assert any(m["committee"].startswith("Planning Committee") for m in found["meetings"] if m["committee"])


@given(st.lists(st.text(alphabet=st.characters(codec="utf-8"), max_size=40), min_size=1, max_size=6))
def test_no_calendar_line_breaks_the_reading(lines: list[str]) -> None:
    good = "BEGIN:VEVENT\r\nUID:2\r\nDTSTART:20261207T190000Z\r\nSUMMARY:Full Council\r\nEND:VEVENT\r\n"
    odd = "\r\n".join(line.replace("\r", " ").replace("\n", " ") for line in lines)
    text = f"BEGIN:VCALENDAR\r\n{good}BEGIN:VEVENT\r\nUID:1\r\n{odd}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    found = checked(text.encode(), url=CALENDAR, content_type="text/calendar")
    assert found["error"] is None
    assert "Full Council" in [m["committee"] for m in found["meetings"]]

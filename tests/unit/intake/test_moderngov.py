"""ModernGov: publication events become meetings, whatever the title, the link or the guid look like."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.intake.feeds import checked, meeting_link, rss, titled

WHEN = "Monday, 7th December, 2026 6.00 pm"
STATUSES = {
    f"Agenda published: Meeting of {WHEN}, Planning Committee": "scheduled",
    f"CANCELLED - Agenda published: Meeting of {WHEN}, Planning Committee": "cancelled",
    f"Agenda published: Meeting of {WHEN}, CANCELLED, Planning Committee": "cancelled",
    f"Agenda published: Meeting of {WHEN}, Planning Committee - CANCELLED": "cancelled",
    f"Agenda published: Meeting of {WHEN}, Planning Committee (Cancelled)": "cancelled",
    f"Agenda published: Meeting of {WHEN}, Planning Committee [CANCELED]": "cancelled",
    f"Agenda published: Meeting of {WHEN}, *** CANCELLED *** Planning Committee": "cancelled",
    f"Meeting cancelled: {WHEN}, Planning Committee": "cancelled",
    f"Meeting Cancelled: Meeting of {WHEN}, Planning Committee": "cancelled",
    f"Planning Committee - {WHEN}, CANCELLED": "cancelled",
    f"Meeting cancelled - Meeting of {WHEN}, Planning Committee": "cancelled",
    f"Notice of cancellation: Meeting of {WHEN}, Planning Committee": "cancelled",
    f"Agenda published for Planning Committee, {WHEN}": "scheduled",
    f"Minutes published for the Planning Committee, {WHEN}": "held",
    f"Agenda published: Meeting of {WHEN}, Planning Committee - Rescheduled from 30 November": "scheduled",
    f"Meeting postponed: {WHEN}, Planning Committee": "postponed",
    f"POSTPONED: Meeting of {WHEN}, Planning Committee": "postponed",
    f"Agenda published: Meeting of {WHEN}, Planning Committee - Postponed to 14th December 2026": "postponed",
    f"Meeting rescheduled: {WHEN}, Planning Committee": "scheduled",
    f"Agenda published: Meeting of {WHEN}, Planning Committee (NEW TIME)": "scheduled",
    f"Agenda published: Meeting of {WHEN} (new time), Planning Committee": "scheduled",
    f"Agenda published: Meeting of {WHEN} - please note new time, Planning Committee": "scheduled",
    f"Agenda published: Meeting of {WHEN} or on the rising of Council, if later, Planning Committee": (
        "scheduled"
    ),
    f"Agenda published: Meeting of {WHEN} for 6.30 pm, Planning Committee": "scheduled",
    "Agenda published: Meeting of Monday, 7th December, 2026 1800, Planning Committee": "scheduled",
    f"Minutes published: Meeting of {WHEN}, Planning Committee": "held",
    f"Decision sheet published: Meeting of {WHEN}, Planning Committee": "held",
    f"AGENDA PUBLISHED: MEETING OF {WHEN}, Planning Committee": "scheduled",
}


@pytest.mark.parametrize(("title", "status"), STATUSES.items())
def test_status_time_and_committee_are_told_apart(title: str, status: str) -> None:
    (meeting,) = checked(titled([title]))["meetings"]
    assert meeting["status"] == status
    assert meeting["committee"] == "Planning Committee"
    assert meeting["starts_at"] == "2026-12-07T18:00:00+00:00"


@pytest.mark.parametrize(
    "name",
    [
        "Cancelled Debts Panel",
        "Communities, Housing & Transport Scrutiny Committee",
        "Planning Committee - Major Applications - A",
        "Cabinet Member for Jobs, Young People, and Culture: Decisions",
        "Joint Committee 2026, The",
        "Licensing (2003 Act) Sub-Committee",
        "Postponed Matters Sub-Committee",
        "Pwyllgor Craffu Gofal / Care Scrutiny Committee",
        "Minutes and Agendas Working Group",
        "Transport for Anytown Committee",
        "Committee for Standards",
    ],
)
def test_a_committees_name_stays_whole(name: str) -> None:
    (meeting,) = checked(titled([f"Agenda published: Meeting of {WHEN}, {name}"]))["meetings"]
    assert meeting["committee"] == name
    assert meeting["status"] == "scheduled"


@pytest.mark.parametrize(
    "link",
    [
        "ieListDocuments.aspx?CId=1&MId=77",
        "/ieListDocuments.aspx?CId=1&MId=77&Ver=4",
        "//example.moderngov.co.uk/ieListDocuments.aspx?CId=1&MId=77&J=2#AI123",
        "http://example.moderngov.co.uk/ieListDocuments.aspx?cid=1&mid=77",
        "https://example.moderngov.co.uk/ieListDocuments.aspx?CommitteeId=1&MeetingId=77",
        "https://example.moderngov.co.uk/ieListDocuments.aspx?CId=1&amp;MID=77",
        "  https://EXAMPLE.moderngov.co.uk/IeListDocuments.aspx?CId=1&MId=0077  ",
    ],
)
def test_every_spelling_of_a_link_is_one_meeting(link: str) -> None:
    (meeting,) = checked(rss({"title": f"Agenda published: Meeting of {WHEN}, Cabinet", "link": link}))[
        "meetings"
    ]
    assert meeting["external_id"] == "example.moderngov.co.uk:MId:77"
    assert meeting["url"] == "https://example.moderngov.co.uk/ieListDocuments.aspx?CId=1&MId=77"


def test_an_install_under_a_path_keeps_its_path() -> None:
    body = rss(
        {"title": f"Agenda published: Meeting of {WHEN}, Cabinet", "link": "ieListDocuments.aspx?CId=1&MId=7"}
    )
    (meeting,) = checked(body, url="https://www.example.gov.uk/committees/mgRss.aspx")["meetings"]
    assert meeting["url"] == "https://www.example.gov.uk/committees/ieListDocuments.aspx?CId=1&MId=7"


def test_a_vendors_feed_may_lead_to_the_councils_own_host() -> None:
    link = "http://committees.royalgreenwich.gov.uk/ieListDocuments.aspx?CId=262&MId=6620"
    body = rss({"title": f"Agenda published: Meeting of {WHEN}, Cabinet", "link": link})
    (meeting,) = checked(body, url="https://greenwich.moderngov.co.uk/mgRss.aspx")["meetings"]
    assert meeting["external_id"] == "committees.royalgreenwich.gov.uk:MId:6620"
    assert meeting["url"] == link.replace("http:", "https:")


def test_it_may_not_lead_anywhere_else() -> None:
    link = "https://greenwich.gov.uk.evil.example/ieListDocuments.aspx?CId=262&MId=6620"
    body = rss({"title": f"Agenda published: Meeting of {WHEN}, Cabinet", "link": link})
    (meeting,) = checked(body, url="https://greenwich.moderngov.co.uk/mgRss.aspx")["meetings"]
    assert (meeting["url"], meeting["external_id"]) == (None, None)


def test_guids_that_are_reused_do_not_matter() -> None:
    body = rss(
        {"title": f"Agenda published: Meeting of {WHEN}, Cabinet", "link": meeting_link(1), "guid": "same"},
        {"title": f"Agenda published: Meeting of {WHEN}, Council", "link": meeting_link(2), "guid": "same"},
        {
            "title": f"Agenda supplement published: Meeting of {WHEN}, Cabinet",
            "link": meeting_link(1),
            "guid": "other",
        },
    )
    found = checked(body)["meetings"]
    assert [(m["committee"], m["guid"]) for m in found] == [("Cabinet", "same"), ("Council", "same")]


def test_the_latest_publication_says_the_date() -> None:
    old, new = "Tue, 24 Nov 2026 09:00:00 GMT", "Wed, 25 Nov 2026 09:00:00 GMT"
    later = "Monday, 14th December, 2026 5.30 pm"
    body = rss(
        {"title": f"Agenda published: Meeting of {WHEN}, Cabinet", "link": meeting_link(1), "pubDate": old},
        {"title": f"Agenda published: Meeting of {later}, Cabinet", "link": meeting_link(1), "pubDate": new},
    )
    (meeting,) = checked(body)["meetings"]
    assert meeting["starts_at"] == "2026-12-14T17:30:00+00:00"


def test_a_meeting_whose_date_is_not_told_is_kept_without_one() -> None:
    (meeting,) = checked(titled(["Agenda published: Bee Network Committee"]))["meetings"]
    assert meeting["committee"] == "Bee Network Committee"
    assert meeting["starts_at"] is None
    assert "starts_on" not in meeting
    assert meeting["doubts"]


def test_a_meeting_without_a_committee_is_kept_with_a_doubt() -> None:
    (meeting,) = checked(titled([f"Agenda published: Meeting of {WHEN}"]))["meetings"]
    assert (meeting["committee"], meeting["title"]) == (None, WHEN)
    assert meeting["doubts"] == ["no committee is named"]


def test_two_meetings_of_one_committee_on_one_day_stay_two() -> None:
    titles = [f"Agenda published: Meeting of {WHEN}, Licensing Sub-Committee"] * 2
    assert len(checked(titled(titles))["meetings"]) == 2


@pytest.mark.parametrize(
    ("title", "page", "why"),
    [
        ("Issue Published: Nominations to Outside Bodies 2026/27", "mgIssueHistoryHome.aspx?IId=1", "issue"),
        ("Decision Published: A contract; Director of Resources", "ieDecisionDetails.aspx?ID=1", "decision"),
        ("Publication of plan: Forward Plan November 2026; Leader", "mgListPlanItems.aspx?PlanId=1", "plan"),
        ("ePetition: Safer crossing", "mgEPetitionDisplay.aspx?ID=97", "epetition"),
        ("Rough Sleeping Funding 2026/27", "ieDecisionDetails.aspx?ID=4142", "decision"),
        ("Have your say on parking", "mgConsultationDisplay.aspx?ID=4", "consultation"),
    ],
)
def test_what_is_no_meeting_says_what_it_is(title: str, page: str, why: str) -> None:
    found = checked(rss({"title": title, "link": f"https://example.moderngov.co.uk/{page}", "guid": "g"}))
    assert found["meetings"] == []
    assert found["not_meetings"] == [{"guid": "g", "title": title, "why": why}]


def test_one_decision_listed_once_per_signatory_makes_no_meeting(shared: Path) -> None:
    body = (shared / "feeds/real/moderngov_gmca_test_fixture.xml").read_bytes()
    found = checked(body, url="https://democracy.greatermanchester-ca.gov.uk/mgRss.aspx")
    assert [m["committee"] for m in found["meetings"]] == ["Bee Network Committee"]
    assert {n["why"] for n in found["not_meetings"]} == {"decision"}


def test_windows_1252_under_a_utf_8_declaration_is_read_right() -> None:
    title = "Agenda published: Meeting of Monday, 7th December, 2026 6.00 pm, Children’s – Café £5 Panel"
    (meeting,) = checked(titled([title]).encode("cp1252"))["meetings"]
    assert meeting["committee"] == "Children’s – Café £5 Panel"


def test_one_bad_byte_leaves_the_rest_in_utf_8() -> None:
    body = titled([f"Agenda published: Meeting of {WHEN}, Café Panel", f"Meeting held: {WHEN}, X"]).encode()
    found = checked(body.replace(b", X", b", X\x92s Panel"))["meetings"]
    assert [m["committee"] for m in found] == ["Café Panel", "X’s Panel"]

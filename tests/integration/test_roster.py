"""People come in by list, change, leave, are forgotten, and come back only by a later consent."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import select

from digest.errors import ConflictError, NotFoundError
from digest.links import address_key
from digest.model import Council, SubscriberState
from digest.pipeline import roster as people
from digest.pipeline.roster import ImportReport, Roster, Taken
from digest.pipeline.roster_rows import COLUMNS, Defaults, Row, cells_of, read_rows, row_of
from digest.slots import schedule_of
from digest.store import councils, subscribers, suppressions
from digest.store.database import Database
from digest.store.subscribers import Consent, Subscriber
from digest.store.tables import AuditRow, SubscriptionRow, SuppressionRow, table_of
from tests.conftest import ROOT

NOW = datetime(2025, 9, 7, 17, 0, tzinfo=UTC)
KEY = "k" * 64
DEFAULTS = Defaults(schedule_of("weekly", "sunday", "18:00", "Europe/London"))
HEAD = "email,name,councils,topics,detail,status,consent_source,consent_at"
ADA = "ada@example.org,Ada,stockport,Parks,,active,web form,2025-06-03T08:00:00Z"
SAMPLES = ROOT / "samples" / "subscribers.csv"


@pytest.fixture
def roster(database: Database) -> Roster:
    with database.write() as connection:
        for slug in ("stockport", "great-harrow-on-sea", "llanfair-y-bryn", "little-wittering"):
            councils.add_council(connection, Council(slug, slug.title()), now=NOW)
    return Roster(database, KEY, DEFAULTS, start_back_days=3)


def taken(
    roster: Roster, *lines: str, head: str = HEAD, update: bool = False, now: datetime = NOW
) -> ImportReport:
    """What became of these lines of CSV."""
    rows = read_rows([f"{line}\n" for line in (head, *lines)], defaults=DEFAULTS, now=now)
    return people.import_rows(roster, rows, update=update, now=now)


def counts(report: ImportReport) -> tuple[int, int, int, int]:
    return report.imported, report.updated, report.unchanged, len(report.refused)


def person(roster: Roster, address: str) -> Subscriber:
    with roster.database.read() as connection:
        return subscribers.subscriber_by_address(connection, address)


def everything(roster: Roster) -> list[tuple[object, ...]]:
    """All that is stored of people, to see that nothing changed."""
    with roster.database.read() as connection:
        found = list(subscribers.all_subscribers(connection))
        agreed = [subscribers.consents(connection, one.id) for one in found]
        rows = [tuple(row) for row in connection.execute(select(table_of(SubscriptionRow)))]
    return [*zip(found, agreed, strict=True), *sorted(rows, key=repr)]


# --- lists ------------------------------------------------------------------------------------------------


def test_the_sample_readers_come_in_and_a_second_import_changes_nothing(roster: Roster) -> None:
    def read() -> ImportReport:
        with SAMPLES.open(encoding="utf-8-sig", newline="") as lines:
            return people.import_rows(roster, read_rows(lines, defaults=DEFAULTS, now=NOW), now=NOW)

    assert counts(read()) == (25, 0, 0, 0)
    before = everything(roster)
    assert counts(read()) == (0, 0, 25, 0)
    assert everything(roster) == before


def test_a_reader_has_the_state_wishes_consent_and_open_subscriptions_of_the_row(roster: Roster) -> None:
    wishes = 'stockport;little-wittering,"Parks;""Coast, flooding""",full'
    taken(roster, f"fay@example.org,Fay,{wishes},active,paper,2025-06-03")
    fay = person(roster, "FAY@example.org")
    assert (fay.name, fay.state, fay.due_from_at) == ("Fay", SubscriberState.ACTIVE, NOW)
    assert fay.profile.councils == ("little-wittering", "stockport")
    assert fay.profile.topics == ("coast flooding", "parks")
    with roster.database.read() as connection:
        agreed = subscribers.consents(connection, fay.id)
        followers = councils.waiting_counts(connection)
    assert agreed == (Consent("paper", datetime(2025, 6, 3, tzinfo=UTC)),)
    assert followers == {"stockport": 1, "little-wittering": 1}


def test_bad_rows_are_named_with_line_and_reason_and_good_rows_are_kept(roster: Roster) -> None:
    report = taken(
        roster,
        ADA,
        "not an address,Bo,stockport,,,,,",
        "cy@example.org,Cy,stokport,,,,,",
        "di@example.org,Di,stockport,,ful,,,",
        "ed@example.org,Ed,stockport,,,,,",
    )
    assert (report.imported, [one.line for one in report.refused]) == (2, [3, 4, 5])
    address, council, detail = (one.why for one in report.refused)
    assert "email: 'not an address'" in address
    assert "'stokport'" in council
    assert "stockport?" in council
    assert "detail: 'ful' is unknown; did you mean 'full'?" in detail


def test_other_wishes_are_refused_without_update_and_nobody_is_changed(roster: Roster) -> None:
    taken(roster, ADA)
    before = everything(roster)
    report = taken(roster, ADA.replace("Parks", "Housing"))
    assert counts(report) == (0, 0, 0, 1)
    assert "--update" in report.refused[0].why
    assert everything(roster) == before


def test_other_wishes_are_taken_with_update_once(roster: Roster) -> None:
    taken(roster, ADA)
    changed = ADA.replace("Parks", "Housing").replace("stockport", "little-wittering")
    assert counts(taken(roster, changed, update=True)) == (0, 1, 0, 0)
    assert person(roster, "ada@example.org").profile.topics == ("housing",)
    with roster.database.read() as connection:
        assert councils.waiting_counts(connection) == {"little-wittering": 1}
    assert counts(taken(roster, changed, update=True)) == (0, 0, 1, 0)


def test_an_empty_name_or_status_keeps_what_is_there(roster: Roster) -> None:
    taken(roster, ADA)
    people.pause(roster.database, "ada@example.org", until=None)
    report = taken(roster, "ada@example.org,,stockport,Parks,,,,", update=True)
    assert counts(report) == (0, 0, 1, 0)
    ada = person(roster, "ada@example.org")
    assert (ada.name, ada.state) == ("Ada", SubscriberState.PAUSED)


def test_a_pending_reader_is_confirmed_by_update_only_with_a_consent(roster: Roster) -> None:
    taken(roster, "ada@example.org,Ada,stockport,,,pending,,")
    without = taken(roster, "ada@example.org,Ada,stockport,,,active,,", update=True)
    assert "consent_source" in without.refused[0].why
    assert person(roster, "ada@example.org").state is SubscriberState.PENDING
    assert counts(taken(roster, "ada@example.org,Ada,stockport,,,active,paper,", update=True)) == (0, 1, 0, 0)
    assert person(roster, "ada@example.org").state is SubscriberState.ACTIVE


def test_one_address_twice_in_a_list_counts_once_and_a_contradiction_is_refused(roster: Roster) -> None:
    report = taken(
        roster, ADA, ADA.replace("ada@example.org", "ADA@Example.org"), ADA.replace("Parks", "Housing")
    )
    assert counts(report) == (1, 0, 1, 1)
    assert "line 2" in report.refused[0].why


def test_a_list_longer_than_one_transaction_comes_in_whole(roster: Roster) -> None:
    lines = [f"reader{n}@example.org,,stockport,topic {n % 7},,,," for n in range(1_001)]
    seen: list[int] = []
    rows = read_rows([f"{line}\n" for line in (HEAD, *lines)], defaults=DEFAULTS, now=NOW)
    report = people.import_rows(roster, rows, now=NOW, each=seen.append)
    assert counts(report) == (1_001, 0, 0, 0)
    assert sum(seen) == 1_001
    with roster.database.read() as connection:
        assert subscribers.state_counts(connection) == {"active": 1_001}


def test_what_is_exported_comes_back_as_the_same_people(roster: Roster) -> None:
    with SAMPLES.open(encoding="utf-8-sig", newline="") as lines:
        people.import_rows(roster, read_rows(lines, defaults=DEFAULTS, now=NOW), now=NOW)
    with roster.database.read() as connection:
        cells = [
            cells_of(one, (subscribers.consents(connection, one.id) or (None,))[-1])
            for one in subscribers.all_subscribers(connection)
        ]
    rows = [row_of(dict(zip(COLUMNS, one, strict=True)), defaults=DEFAULTS, now=NOW) for one in cells]
    numbered = [_numbered(row, line) for line, row in enumerate(rows, 2)]
    assert counts(people.import_rows(roster, numbered, update=True, now=NOW)) == (0, 0, 25, 0)


def _numbered(row: Row, line: int) -> Row:
    return replace(row, line=line)


# --- nobody is revived ------------------------------------------------------------------------------------

LATER = NOW + timedelta(days=30)
AFTER = (NOW + timedelta(days=7)).isoformat()


def leave(roster: Roster) -> None:
    people.leave(roster.database, "ada@example.org", now=NOW)


def suppress(roster: Roster) -> None:
    with roster.database.write() as connection:
        suppressions.suppress(
            connection, "ada@example.org", key=KEY, reason="complaint", evidence="event 1", now=NOW
        )


def erase(roster: Roster) -> None:
    people.erase(roster, "ada@example.org", now=NOW)


ENDS = pytest.mark.parametrize("end", [leave, suppress, erase])


@ENDS
@pytest.mark.parametrize("update", [False, True])
def test_an_import_never_revives(roster: Roster, end, update: bool) -> None:  # type: ignore[no-untyped-def]
    taken(roster, ADA)
    end(roster)
    before = everything(roster)
    for row in (ADA, "ada@example.org,Ada,stockport,,,active,,", "ADA@EXAMPLE.ORG,,stockport,,,pending,,"):
        report = taken(roster, row, update=update, now=LATER)
        assert counts(report) == (0, 0, 0, 1), row
        assert "consent_at later than 2025-09-07T17:00:00Z" in report.refused[0].why
    assert everything(roster) == before


@pytest.mark.parametrize("end", [leave, suppress])
def test_nor_where_somebody_has_typed_the_address_into_the_form(roster: Roster, end) -> None:  # type: ignore[no-untyped-def]
    """Anybody can: not confirmed it is no wish of theirs."""
    taken(roster, ADA)
    end(roster)
    with roster.database.write() as connection:
        subscribers.await_confirmation(connection, person(roster, "ada@example.org").id)
    report = taken(roster, ADA, update=True, now=LATER)
    assert counts(report) == (0, 0, 0, 1)
    assert "consent_at later than 2025-09-07T17:00:00Z" in report.refused[0].why
    assert person(roster, "ada@example.org").state is SubscriberState.PENDING
    again = f"ada@example.org,Ada,stockport,,,active,paper,{AFTER}"
    assert counts(taken(roster, again, update=True, now=LATER))[3] == 0


@ENDS
def test_a_later_consent_brings_somebody_back_once(roster: Roster, end) -> None:  # type: ignore[no-untyped-def]
    taken(roster, ADA)
    end(roster)
    again = f"ada@example.org,Ada,stockport,,,active,paper,{AFTER}"
    assert counts(taken(roster, again, now=LATER)) == (1, 0, 0, 0)
    ada = person(roster, "ada@example.org")
    assert (ada.state, ada.due_from_at, ada.ended_at) == (SubscriberState.ACTIVE, LATER, None)
    with roster.database.read() as connection:
        assert suppressions.is_suppressed(connection, "ada@example.org", key=KEY) is None
        assert councils.waiting_counts(connection) == {"stockport": 1}
    assert counts(taken(roster, again, now=LATER)) == (0, 0, 1, 0)


@ENDS
def test_a_consent_that_was_used_before_brings_nobody_back(roster: Roster, end) -> None:  # type: ignore[no-untyped-def]
    dated_ahead = "ada@example.org,Ada,stockport,,,active,paper,2099-01-01"
    taken(roster, dated_ahead)
    end(roster)
    assert counts(taken(roster, dated_ahead, now=LATER)) == (0, 0, 0, 1)


def test_an_address_suppressed_before_anybody_had_it_is_refused(roster: Roster) -> None:
    suppress(roster)
    assert "suppressed (complaint)" in taken(roster, ADA).refused[0].why


def test_a_lifted_suppression_stays_in_the_audit_without_the_address(roster: Roster) -> None:
    suppress(roster)
    taken(roster, f"ada@example.org,Ada,stockport,,,active,paper,{AFTER}", now=LATER)
    with roster.database.read() as connection:
        (line,) = connection.execute(select(table_of(AuditRow))).all()
    assert line.action == "suppression lifted"
    assert "complaint" in line.facts
    assert "ada" not in line.subject + line.facts


def test_who_was_erased_may_subscribe_again_and_is_barred_until_they_confirm(roster: Roster) -> None:
    taken(roster, ADA)
    erase(roster)
    asked = row_of(
        {"email": "ada@example.org", "councils": "stockport", "status": "pending", "consent_source": "web"},
        defaults=DEFAULTS,
        now=LATER,
    )
    assert people.add_one(roster, asked, source="web", now=LATER) is Taken.IMPORTED
    ada = person(roster, "ada@example.org")
    assert ada.state is SubscriberState.PENDING
    assert people.confirm(roster, ada.id, consent=Consent("web", LATER), now=LATER)
    assert not people.confirm(roster, ada.id, consent=Consent("web", LATER), now=LATER)
    assert person(roster, "ada@example.org").state is SubscriberState.ACTIVE
    with roster.database.read() as connection:
        assert not connection.execute(select(table_of(SuppressionRow))).all()


# --- one at a time ----------------------------------------------------------------------------------------


def one(**cells: str) -> Row:
    return row_of({"email": "bo@example.org", "councils": "stockport"} | cells, defaults=DEFAULTS, now=NOW)


def test_adding_somebody_twice_is_harmless_and_other_wishes_are_a_conflict(roster: Roster) -> None:
    assert people.add_one(roster, one(), source="operator", now=NOW) is Taken.IMPORTED
    assert people.add_one(roster, one(), source="operator", now=NOW) is Taken.UNCHANGED
    with pytest.raises(ConflictError, match=r"bo@example\.org is subscribed with other wishes"):
        people.add_one(roster, one(topics="Parks"), source="operator", now=NOW)


def test_adding_somebody_to_an_unknown_council_names_the_nearest(roster: Roster) -> None:
    with pytest.raises(NotFoundError, match="did you mean stockport"):
        people.add_one(roster, one(councils="stokport"), source="operator", now=NOW)


def test_a_pause_ends_with_resume_and_both_are_harmless_twice(roster: Roster) -> None:
    people.add_one(roster, one(), source="operator", now=NOW)
    for _ in range(2):
        people.pause(roster.database, "bo@example.org", until=date(2025, 10, 1))
    bo = person(roster, "bo@example.org")
    assert (bo.state, bo.paused_until) == (SubscriberState.PAUSED, date(2025, 10, 1))
    for _ in range(2):
        people.resume(roster.database, "bo@example.org", now=LATER)
    bo = person(roster, "bo@example.org")
    assert (bo.state, bo.paused_until, bo.due_from_at) == (SubscriberState.ACTIVE, None, LATER)


@pytest.mark.parametrize("status", ["pending", "left"])
def test_only_who_is_active_or_paused_can_pause_or_resume(roster: Roster, status: str) -> None:
    people.add_one(roster, one(status="pending"), source="operator", now=NOW)
    if status == "left":
        people.leave(roster.database, "bo@example.org", now=NOW)
    with pytest.raises(ConflictError, match=f"is {status}"):
        people.pause(roster.database, "bo@example.org", until=None)
    with pytest.raises(ConflictError, match=f"is {status}"):
        people.resume(roster.database, "bo@example.org", now=NOW)


def test_leaving_one_council_keeps_the_others_and_the_last_one_ends_all(roster: Roster) -> None:
    people.add_one(roster, one(councils="stockport;little-wittering"), source="operator", now=NOW)
    assert not people.leave(roster.database, "bo@example.org", council="stockport", now=NOW)
    assert person(roster, "bo@example.org").profile.councils == ("little-wittering",)
    assert people.leave(roster.database, "bo@example.org", council="little-wittering", now=NOW)
    assert person(roster, "bo@example.org").state is SubscriberState.LEFT
    with roster.database.read() as connection:
        assert councils.waiting_counts(connection) == {}


def test_erasing_leaves_no_address_or_name_anywhere_and_is_harmless_twice(roster: Roster) -> None:
    people.add_one(roster, one(name="Bo Berg"), source="operator", now=NOW)
    id_ = person(roster, "bo@example.org").id
    assert people.erase(roster, "bo@example.org", now=NOW)
    assert not people.erase(roster, "Bo@example.org", now=LATER)
    with roster.database.read() as connection:
        forgotten = subscribers.subscriber_by_id(connection, id_)
        marks = connection.execute(select(table_of(SuppressionRow))).all()
    assert forgotten is not None
    assert (forgotten.address, forgotten.name, forgotten.state) == ("", "", SubscriberState.ERASED)
    assert "bo@" not in repr(marks)
    with pytest.raises(NotFoundError):
        people.erase(roster, "nobody@example.org", now=NOW)


def test_suppressing_twice_keeps_the_first_reason_and_the_later_moment(roster: Roster) -> None:
    with roster.database.write() as connection:
        for reason, now in (("bounce", NOW), ("complaint", LATER), ("bounce", NOW)):
            suppressions.suppress(
                connection, "Bo@Example.org", key=KEY, reason=reason, evidence=None, now=now
            )
        found = suppressions.bars(connection, ["bo@example.org"], key=KEY)["bo@example.org"]
        why = suppressions.is_suppressed(connection, "bo@example.org", key=KEY)
    assert (found.reason, found.since, why) == ("bounce", LATER, "bounce")


def test_a_suppressed_reader_is_no_longer_mailed(roster: Roster) -> None:
    taken(roster, ADA)
    suppress(roster)
    ada = person(roster, "ada@example.org")
    assert (ada.state, ada.ended_reason, ada.due_from_at) == (SubscriberState.SUPPRESSED, "complaint", None)
    with roster.database.read() as connection:
        assert councils.waiting_counts(connection) == {}
        assert subscribers.active_schedules(connection) == {}


def test_international_and_plus_addresses_are_kept_as_written(roster: Roster) -> None:
    taken(roster, "bo+news@Bücher.example,,stockport,,,,,", "bo@bücher.example,,stockport,,,,,")
    assert person(roster, "BO+news@xn--bcher-kva.example").address == "bo+news@bücher.example"
    assert address_key("bo@bücher.example") != address_key("bo+news@bücher.example")

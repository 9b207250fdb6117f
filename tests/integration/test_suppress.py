"""Suppression sync with the provider's lists, read from the local fake over HTTP, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest

from digest.deliver.evidence import EvidenceUnavailableError, SendGridRecords, Suppressed
from digest.deliver.fake_sendgrid import FakeSendGrid, serve
from digest.deliver.sendgrid import transport_of
from digest.model import SubscriberState
from digest.pipeline import suppress
from digest.pipeline.suppress import Synced
from digest.store import subscribers, suppressions
from digest.store.database import Database
from tests.integration.ledger_town import SUNDAY, Town

KEY = "x" * 40


@dataclass
class Office:
    """A town and the provider's lists, on one clock."""

    town: Town
    fake: FakeSendGrid
    lists: SendGridRecords
    waits: list[float] = field(default_factory=list)

    def listed(self, name: str, *addresses: str, at: datetime | None = None, **facts: str) -> None:
        created = int((at or self.town.now).timestamp())
        for address in addresses:
            entry = {"created": created, "email": address, **facts}
            self.fake.account.suppressions[name][address.lower()] = entry

    def sync(self) -> Synced:
        return suppress.sync(self.town.database, self.lists, suppression_key=KEY, now=self.town.now)

    def why(self, address: str) -> str | None:
        with self.town.database.read() as connection:
            return suppressions.is_suppressed(connection, address, key=KEY)


@pytest.fixture
def office(database: Database) -> Iterator[Office]:
    with serve() as fake:
        town = Town(database).at(SUNDAY)
        fake.account.set_now(SUNDAY.timestamp())
        transport = transport_of("SG.fake", base_url=fake.url, connect_timeout_s=10, read_timeout_s=10)
        waits: list[float] = []

        def pause(seconds: float) -> None:
            waits.append(seconds)
            fake.account.advance(seconds)

        yield Office(town, fake, SendGridRecords(transport, pause=pause), waits)
        transport.close()


def test_each_list_but_blocks_suppresses_with_its_reason_and_evidence(office: Office) -> None:
    office.town.subscribe(5)
    office.listed("bounces", "Reader0@test.example", reason="550 no reader0@test.example", status="5.1.1")
    office.listed("spam_reports", "reader1@test.example")
    office.listed("invalid_emails", "reader2@test.example", reason="Known bad domain")
    office.listed("unsubscribes", "reader3@test.example")
    office.listed("blocks", "reader4@test.example", reason="421 busy", status="4.2.1")
    assert office.sync() == Synced(seen=4, new=4, since=None, until=SUNDAY)
    reasons = [office.why(f"reader{n}@test.example") for n in range(5)]
    assert reasons == ["bounce", "spam", "invalid", "unsubscribed", None]
    states = [row[0] for row in office.town.rows("SELECT state FROM subscriber ORDER BY id")]
    assert states == ["suppressed"] * 4 + ["active"]
    evidence = "".join(row[0] for row in office.town.rows("SELECT evidence FROM suppression"))
    assert "550 no [address]" in evidence
    assert "@" not in evidence


def test_who_is_on_a_list_gets_no_letter_though_planned(office: Office) -> None:
    office.town.subscribe(2)
    office.town.publish(1)
    run = office.town.planned()
    office.listed("bounces", "reader0@test.example")
    office.sync()
    office.town.dispatch(run)
    assert office.town.counts(run) == {"due": 2, "editions": 1, "handed_over": 1, "suppressed": 1}


def test_a_list_of_many_pages_is_read_whole(office: Office) -> None:
    office.listed("bounces", *(f"n{n}@test.example" for n in range(1_203)))
    office.sync()
    assert office.town.rows("SELECT count(*) FROM suppression") == [(1_203,)]


def test_addresses_that_go_off_a_list_meanwhile_hide_nobody(office: Office) -> None:
    office.listed("bounces", *(f"n{n:04}@test.example" for n in range(900)))
    found = office.lists.suppressed_since(SUNDAY, SUNDAY)
    seen = {next(found).address}
    for n in range(10):
        del office.fake.account.suppressions["bounces"][f"n{n:04}@test.example"]
    seen |= {one.address for one in found}
    assert {f"n{n:04}@test.example" for n in range(10, 900)} <= seen


def test_twice_is_harmless_and_the_second_reads_from_an_hour_before_the_first(office: Office) -> None:
    office.listed("bounces", "old@test.example", at=SUNDAY - timedelta(days=9))
    office.listed("bounces", "late@test.example", at=SUNDAY - timedelta(minutes=50))
    assert office.sync().new == 2
    again = office.sync()
    assert (again.seen, again.new, again.since) == (1, 0, SUNDAY)


def test_what_came_onto_a_list_late_with_an_earlier_time_is_found_by_the_overlap(office: Office) -> None:
    office.sync()
    office.listed("bounces", "late@test.example", at=SUNDAY - timedelta(minutes=50))
    office.town.now += timedelta(hours=1)
    assert office.sync().new == 1
    assert office.why("late@test.example") == "bounce"


def test_a_suppression_lifted_by_a_later_consent_does_not_come_back_with_the_overlap(office: Office) -> None:
    office.listed("unsubscribes", "ann@test.example")
    office.sync()
    office.town.now += timedelta(minutes=10)
    with office.town.database.write() as connection:
        suppressions.lift(connection, "ann@test.example", key=KEY, evidence="form", now=office.town.now)
    office.town.now += timedelta(minutes=10)
    office.sync()
    assert office.why("ann@test.example") is None
    office.listed("spam_reports", "ann@test.example")
    office.sync()
    assert office.why("ann@test.example") == "spam"


def test_strange_entries_are_passed_over(office: Office) -> None:
    office.listed("invalid_emails", "nobody", "", "@test.example", "ok@test.example")
    assert office.sync().new == 1
    assert office.why("ok@test.example") == "invalid"


def test_a_provider_that_asks_to_slow_down_is_asked_again_when_it_says(office: Office) -> None:
    office.fake.account.options.questions_per_minute = 3
    office.listed("unsubscribes", "ann@test.example")
    office.sync()
    assert office.why("ann@test.example") == "unsubscribed"
    assert len(office.waits) == 1
    assert 1 <= office.waits[0] <= 60


def test_a_reading_that_fails_half_way_keeps_what_it_read_and_is_done_again(office: Office) -> None:
    office.sync()
    office.town.now += timedelta(hours=2)
    two = [Suppressed(f"n{n}@test.example", "bounce", office.town.now) for n in range(600)]

    class Breaking:
        """A provider that stops in the middle."""

        def suppressed_since(self, last: datetime, until: datetime) -> Iterator[Suppressed]:
            yield from two
            raise EvidenceUnavailableError("gone")

    with pytest.raises(EvidenceUnavailableError):
        suppress.sync(office.town.database, Breaking(), suppression_key=KEY, now=office.town.now)
    assert office.why("n0@test.example") == "bounce"
    assert suppress.last_sync(office.town.database, now=office.town.now) == SUNDAY
    assert suppress.is_due(office.town.database, now=office.town.now)
    office.sync()
    assert suppress.last_sync(office.town.database, now=office.town.now) == office.town.now


def test_a_reading_by_a_clock_that_ran_ahead_is_done_again(office: Office) -> None:
    right, ahead = office.town.now, office.town.now + timedelta(days=180)
    office.town.now = ahead
    office.sync()
    office.town.now = right
    assert suppress.is_due(office.town.database, now=right)
    office.sync()
    assert suppress.last_sync(office.town.database, now=right) == right
    assert not suppress.is_due(office.town.database, now=right + timedelta(minutes=1))


def test_a_key_that_may_not_read_the_lists_is_told_and_nothing_is_noted(office: Office) -> None:
    office.fake.account.options.api_keys.clear()
    with pytest.raises(EvidenceUnavailableError, match="401"):
        office.sync()
    assert suppress.last_sync(office.town.database, now=office.town.now) is None


def test_a_suppressed_reader_is_found_in_any_spelling(office: Office) -> None:
    (ann,) = office.town.subscribe(1)
    office.listed("bounces", "READER0@TEST.EXAMPLE")
    office.sync()
    with office.town.database.read() as connection:
        found = subscribers.subscriber_by_id(connection, ann)
    assert found is not None
    assert found.state is SubscriberState.SUPPRESSED

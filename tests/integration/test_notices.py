"""Notices from the wish to the file in the outbox: who gets which letter, once, and who never does."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from digest.errors import ConflictError, NotFoundError, RenderError, SubscriberError
from digest.links import Purpose
from digest.model import InDoubt, Page, RunKind, SubscriberState, Tier
from digest.pipeline import notices
from digest.pipeline.notices import ToMany
from digest.store import invariants, pages
from digest.store.database import Database
from digest.testing import KilledError, RecordingSender
from tests.integration.post_office import (
    BASE,
    SUNDAY,
    TEXT,
    THURSDAY,
    WELSH,
    PostOffice,
    links_in,
    subject_of,
    words_of,
)

ANN = "ann@example.org"
NEW = "ann@new.example"
A_MOMENT = timedelta(minutes=11)
WORDS = ToMany("We move house", "From October we write from [another address](https://x.example/why).")


@pytest.fixture
def post(database: Database, tmp_path: Path) -> PostOffice:
    return PostOffice(database, tmp_path / "outbox")


# --- who gets which letter --------------------------------------------------------------------------------


def test_who_signs_up_is_asked_to_confirm_by_a_link_of_their_own(post: PostOffice) -> None:
    ann = post.pending(ANN)
    assert notices.ask_to_confirm(post.works(), ann)
    assert post.send()["handed_over"] == 1
    letter = post.one(ANN)
    assert letter["Subject"] == "Please confirm: your digest of Aber"
    for kind in ("plain", "html"):
        assert "Yes, send me the digest" in words_of(letter, kind)
        token = links_in(letter, kind)["confirm"]
        assert subject_of(token, Purpose.CONFIRM, now=post.now) == ann
    assert "preferences" not in links_in(letter)
    assert "List-Id" not in letter


def test_a_welcome_says_when_the_first_letter_comes(post: PostOffice) -> None:
    ann = post.add(ANN)
    notices.welcome(post.works(), ann)
    post.send()
    letter = post.one(ANN)
    assert "The first one comes on Sunday 7 September 2025 at 6pm." in words_of(letter)
    assert subject_of(links_in(letter)["preferences"], Purpose.PREFERENCES, now=post.now) == ann


def test_a_link_goes_to_the_stored_address_whatever_was_typed(post: PostOffice) -> None:
    ann = post.add(ANN)
    assert notices.send_link(post.works(), "ANN@Example.ORG")
    post.send()
    letter = post.one(ANN)
    assert letter["Subject"] == "Your link to your choices"
    assert subject_of(links_in(letter)["preferences"], Purpose.PREFERENCES, now=post.now) == ann


@pytest.mark.parametrize("typed", ["nobody@example.org", "no address"])
def test_a_link_for_nobody_is_no_letter_and_no_error(post: PostOffice, typed: str) -> None:
    assert not notices.send_link(post.works(), typed)
    assert post.send()["runs"] == 0


def test_a_link_for_who_has_not_confirmed_is_a_confirmation(post: PostOffice) -> None:
    post.pending(ANN)
    assert notices.send_link(post.works(), ANN)
    post.send()
    assert list(links_in(post.one(ANN))) == ["confirm", "view"]


@pytest.mark.parametrize(
    ("kind", "purpose"), [(RunKind.EXPORT, Purpose.EXPORT), (RunKind.ERASE, Purpose.ERASE)]
)
@pytest.mark.parametrize("state", [SubscriberState.ACTIVE, SubscriberState.PAUSED, SubscriberState.LEFT])
def test_export_and_erasure_are_agreed_to_by_letter(
    post: PostOffice, kind: RunKind, purpose: Purpose, state: SubscriberState
) -> None:
    ann = post.add(ANN, state=state)
    ask = {RunKind.EXPORT: notices.ask_export, RunKind.ERASE: notices.ask_erase}[kind]
    assert ask(post.works(), ann)
    post.send()
    token = links_in(post.one(ANN))[f"agree/{purpose.word}"]
    assert subject_of(token, purpose, now=post.now) == ann


def test_welsh_readers_get_welsh_and_text_readers_text(post: PostOffice) -> None:
    for address, wishes in (("cy@example.org", WELSH), ("plain@example.org", TEXT)):
        notices.ask_to_confirm(post.works(), post.pending(address, **wishes))
    post.send()
    welsh, plain = post.one("cy@example.org"), post.one("plain@example.org")
    assert welsh["Subject"] == "Cadarnhewch: eich crynodeb (Aber)"
    assert "Ie, anfonwch y crynodeb ataf" in words_of(welsh)
    assert welsh["Content-Language"] == "cy"
    assert not plain.is_multipart()
    assert "confirm" in links_in(plain)


def test_equal_letters_are_one_page_and_one_run(post: PostOffice) -> None:
    for n in range(5):
        notices.ask_to_confirm(post.works(), post.pending(f"reader{n}@example.org"))
    counts = post.send()
    assert (counts["runs"], counts["editions"], counts["handed_over"]) == (1, 1, 5)
    tokens = {links_in(letter)["confirm"] for letter in post.letters()}
    assert len(tokens) == 5


# --- who does not -----------------------------------------------------------------------------------------


def test_who_has_not_confirmed_gets_nothing_else(post: PostOffice) -> None:
    ann = post.pending(ANN, source="import")
    works = post.works()
    wished = [
        notices.welcome(works, ann), notices.ask_export(works, ann), notices.ask_erase(works, ann),
        notices.ask_address_change(works, ann, NEW),
    ]  # fmt: skip
    assert not any(wished)
    notices.supported(works, "aber")
    notices.approve(post.database, notices.service(works, WORDS).id, now=post.now)
    post.tell()
    post.at(SUNDAY).run()
    assert post.letters() == []


@pytest.mark.parametrize("reason", ["spam", "bounce", "unsubscribed", "operator"])
def test_a_suppressed_reader_gets_no_notice_of_any_kind(post: PostOffice, reason: str) -> None:
    ann = post.add(ANN)
    post.suppress(ANN, reason)
    works = post.works()
    for wish in (notices.ask_to_confirm, notices.welcome, notices.ask_export, notices.ask_erase):
        assert not wish(works, ann)
    assert not notices.send_link(works, ANN)
    notices.supported(works, "aber")
    notices.approve(post.database, notices.service(works, WORDS).id, now=post.now)
    post.send()
    assert post.letters() == []


@pytest.mark.parametrize(
    ("reason", "is_asked"),
    [("bounce", True), ("unsubscribed", True), ("invalid", True), ("spam", False), ("operator", False)],
)
def test_who_asks_again_may_be_asked_to_confirm_but_never_after_a_spam_report(
    post: PostOffice, reason: str, is_asked: bool
) -> None:
    post.suppress(ANN, reason)
    assert notices.ask_to_confirm(post.works(), post.pending(ANN)) is is_asked


@pytest.mark.parametrize("state", [SubscriberState.SUPPRESSED, SubscriberState.LEFT])
def test_who_goes_between_wish_and_hand_over_gets_nothing(post: PostOffice, state: SubscriberState) -> None:
    ann = post.add(ANN)
    notices.send_link(post.works(), ANN)
    post.end(ann, state)
    assert post.send()["handed_over"] == 0


def test_who_goes_between_planning_and_claim_gets_nothing(post: PostOffice) -> None:
    ann = post.add(ANN)
    bert = post.add("bert@example.org")
    for id_ in (ann, bert):
        notices.welcome(post.works(), id_)
    dies = RecordingSender(is_repeatable=True)
    dies.before = _die
    honest, post.sender = post.sender, dies
    with pytest.raises(KilledError):
        post.send("first")
    post.end(bert, SubscriberState.SUPPRESSED)
    post.sender, post.dead = honest, {"first"}
    counts = post.send("second")
    assert (counts["handed_over"], counts["suppressed"]) == (1, 1)


def _die(_: object) -> None:
    raise KilledError


def test_who_has_confirmed_meanwhile_is_not_asked(post: PostOffice) -> None:
    ann = post.pending(ANN)
    notices.ask_to_confirm(post.works(), ann)
    post.activate(ann)
    assert post.send()["handed_over"] == 0


# --- once -------------------------------------------------------------------------------------------------


def test_sending_twice_sends_once(post: PostOffice) -> None:
    notices.ask_to_confirm(post.works(), post.pending(ANN))
    post.send()
    assert post.send()["runs"] == 0
    assert len(post.letters()) == 1


def test_asking_again_is_harmless_and_after_ten_minutes_a_letter(post: PostOffice) -> None:
    ann = post.pending(ANN)
    assert notices.ask_to_confirm(post.works(), ann)
    assert not notices.ask_to_confirm(post.works(), ann)
    post.send()
    post.now += timedelta(minutes=9)
    assert not notices.ask_to_confirm(post.works(), ann)
    post.now += timedelta(minutes=2)
    assert notices.ask_to_confirm(post.works(), ann)
    post.send()
    assert len(post.to(ANN)) == 2


def test_a_stranger_fills_nobodys_mailbox(post: PostOffice) -> None:
    ann = post.pending(ANN)
    asked = []
    for _ in range(12):
        asked.append(notices.ask_to_confirm(post.works(), ann))
        post.now += A_MOMENT
    assert asked == [True] * 5 + [False] * 7
    post.now = THURSDAY + timedelta(days=1, minutes=1)
    assert notices.ask_to_confirm(post.works(), ann)


def test_a_confirmation_is_welcomed_once(post: PostOffice) -> None:
    ann = post.add(ANN)
    assert notices.welcome(post.works(), ann)
    post.now += timedelta(days=2)
    assert not notices.welcome(post.works(), ann)


def test_two_letters_of_one_kind_that_wait_both_go(post: PostOffice) -> None:
    ann = post.pending(ANN)
    for _ in range(2):
        notices.ask_to_confirm(post.works(), ann)
        post.now += A_MOMENT
    post.send()
    post.send()
    assert len(post.to(ANN)) == 2


def test_a_sign_up_cut_off_before_its_wish_is_asked_all_the_same(post: PostOffice) -> None:
    post.pending(ANN, source="web")
    post.pending("list@example.org", source="import")
    post.run()
    post.run()
    assert [letter["To"] for letter in post.letters()] == [ANN]


def test_two_processes_at_once_send_each_letter_once(post: PostOffice) -> None:
    for n in range(20):
        notices.ask_to_confirm(post.works(), post.pending(f"reader{n}@example.org"))
    seen: list[int] = []
    threads = [
        threading.Thread(target=lambda name=name: seen.append(post.send(name)["runs"]))
        for name in ("one", "two")
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 2
    assert sorted(str(letter["To"]) for letter in post.letters()) == sorted(
        f"reader{n}@example.org" for n in range(20)
    )
    assert post.rows("SELECT count(*) FROM run") == [(1,)]


def test_killed_after_the_request_a_notice_is_not_sent_blindly_again(post: PostOffice) -> None:
    notices.ask_to_confirm(post.works(), post.pending(ANN))
    sender = RecordingSender(is_repeatable=False, answer=_die)  # type: ignore[arg-type]
    post.sender = sender
    with pytest.raises(KilledError):
        post.send("first")
    post.dead = {"first"}
    counts = post.send("second")
    assert counts["uncertain"] == 1
    assert len(sender.arrived) == 1


def test_notices_go_before_digests_and_move_no_mark(post: PostOffice) -> None:
    ann = post.add(ANN)
    post.tell()
    post.now = SUNDAY
    notices.welcome(post.works(), ann)
    before = post.reader(ann).covered_seq
    kinds = [report.run.kind for report in post.run()]
    assert kinds == [RunKind.WELCOME, RunKind.DIGEST]
    assert len(post.to(ANN)) == 2
    rows = post.rows("SELECT d.from_seq, d.upto_seq FROM delivery d ORDER BY run_id")
    assert sorted((first == upto) for first, upto in rows) == [False, True]
    assert before == 0
    with post.database.read() as connection:
        assert invariants.broken(connection) == []


def test_nothing_personal_is_stored_with_a_notice(post: PostOffice) -> None:
    ann = post.add(ANN)
    notices.ask_address_change(post.works(), ann, NEW)
    post.send()
    change = subject_of(links_in(post.one(ANN))["agree/move"], Purpose.MOVE, now=post.now)
    notices.agree_to_move(post.works(), change)
    post.send()
    kept = repr(post.rows("SELECT kind, key, facts FROM notice"))
    for page in _pages(post):
        kept += page.text + (page.html or "") + page.subject
    assert "@new.example" not in kept
    assert ANN not in kept
    assert "/agree/" not in kept


def _pages(post: PostOffice) -> list[Page]:

    with post.database.read() as connection:
        ids = [id_ for (id_,) in post.rows("SELECT id FROM page")]
        return [pages.page_by_id(connection, id_) for id_ in ids]


def test_a_notice_that_cannot_be_rendered_pauses_its_run_alone(post: PostOffice) -> None:
    ann = post.add(ANN, "aber")
    notices.supported(post.works(), "aber")
    with post.database.write() as connection:
        from sqlalchemy import text

        connection.execute(text("UPDATE notice SET facts = '{\"councils\": []}'"))
    notices.welcome(post.works(), ann)
    post.send()
    assert [letter["Subject"] for letter in post.letters()] == ["Welcome: your digest of Aber"]
    (why,) = post.rows("SELECT why FROM run WHERE state = 'paused'")
    assert "needs the councils" in why[0]


# --- change of address ------------------------------------------------------------------------------------


def asked(post: PostOffice) -> tuple[int, int]:
    """Ann asked for another address, and got the letter: her id and the change's."""
    ann = post.add(ANN)
    assert notices.ask_address_change(post.works(), ann, NEW)
    post.send()
    return ann, subject_of(links_in(post.one(ANN))["agree/move"], Purpose.MOVE, now=post.now)


def test_an_address_changes_once_both_have_agreed(post: PostOffice) -> None:
    ann, change = asked(post)
    assert post.to(NEW) == []
    assert notices.agree_to_move(post.works(), change)
    post.send()
    letter = post.one(NEW)
    assert letter["Subject"] == "Please confirm your new address"
    token = links_in(letter)["agree/address"]
    assert subject_of(token, Purpose.ADDRESS, now=post.now) == change
    assert post.reader(ann).address == ANN
    assert notices.change_address(post.works(), change)
    assert post.reader(ann).address == NEW
    assert not notices.change_address(post.works(), change)


def test_the_new_address_alone_changes_nothing(post: PostOffice) -> None:
    ann, change = asked(post)
    assert not notices.change_address(post.works(), change)
    assert post.reader(ann).address == ANN


def test_a_letter_to_a_new_address_opens_no_account(post: PostOffice) -> None:
    ann, change = asked(post)
    notices.agree_to_move(post.works(), change)
    post.send()
    letter = post.one(NEW)
    assert "preferences" not in links_in(letter)
    header = letter["List-Unsubscribe"].strip("<>").rpartition("/")[2]
    assert subject_of(header, Purpose.UNSUBSCRIBE, now=post.now) != ann


def test_a_doubtful_letter_to_a_new_address_is_asked_about_by_that_address(post: PostOffice) -> None:
    from digest.store import doubts

    ann, change = asked(post)
    notices.agree_to_move(post.works(), change)
    post.sender = RecordingSender(is_repeatable=False, answer=lambda outgoing: InDoubt("no answer"))
    assert post.send()["uncertain"] == 1
    (batch,) = post.rows("SELECT id FROM batch WHERE state = 'uncertain'")
    with post.database.read() as connection:
        assert doubts.letters_of(connection, batch[0], most=5) == [(ann, NEW)]


def test_a_later_wish_replaces_an_earlier_one_and_its_links(post: PostOffice) -> None:
    ann, first = asked(post)
    post.now += A_MOMENT
    assert notices.ask_address_change(post.works(), ann, "other@example.org")
    assert not notices.agree_to_move(post.works(), first)


def test_a_typo_is_mended_at_once_and_the_right_address_is_asked(post: PostOffice) -> None:
    ann, typo = asked(post)
    assert notices.ask_address_change(post.works(), ann, "right@new.example")
    # The same again is the letter under way.
    assert not notices.ask_address_change(post.works(), ann, "right@new.example")
    post.send()
    assert not notices.agree_to_move(post.works(), typo)
    last = post.to(ANN)[-1]
    change = subject_of(links_in(last)["agree/move"], Purpose.MOVE, now=post.now)
    assert notices.agree_to_move(post.works(), change)
    post.send()
    assert len(post.to("right@new.example")) == 1
    assert post.to(NEW) == []


def test_what_was_agreed_to_and_replaced_asks_no_new_address(post: PostOffice) -> None:
    """The letter to the first one waited still; the second one has the current address's word to come."""
    ann, change = asked(post)
    assert notices.agree_to_move(post.works(), change)
    assert notices.ask_address_change(post.works(), ann, "stranger@other.example")
    post.send()
    assert post.to("stranger@other.example") == []
    assert post.to(NEW) == []
    other = subject_of(links_in(post.to(ANN)[-1])["agree/move"], Purpose.MOVE, now=post.now)
    assert notices.agree_to_move(post.works(), other)
    post.send()
    assert len(post.to("stranger@other.example")) == 1


def test_nobody_is_asked_more_than_five_times_a_day_whatever_is_typed(post: PostOffice) -> None:
    ann = post.add(ANN)
    asked_for = [notices.ask_address_change(post.works(), ann, f"n{n}@new.example") for n in range(7)]
    assert asked_for == [True] * 5 + [False] * 2


def test_agreeing_twice_is_one_letter(post: PostOffice) -> None:
    _, change = asked(post)
    for _ in range(2):
        assert notices.agree_to_move(post.works(), change)
        post.send()
    assert len(post.to(NEW)) == 1


def test_after_a_week_a_change_is_forgotten(post: PostOffice) -> None:
    _, change = asked(post)
    post.now += timedelta(days=7, seconds=1)
    assert not notices.agree_to_move(post.works(), change)
    assert notices.change_asked_for(post.database, change, now=post.now) is None
    notices.forget_unconfirmed(post.works())
    assert post.rows("SELECT * FROM address_change") == []


def test_erasing_forgets_the_address_that_was_asked_for(post: PostOffice) -> None:
    from digest.store import subscribers

    ann, _ = asked(post)
    with post.database.write() as connection:
        subscribers.erase(connection, ann, now=post.now)
    assert post.rows("SELECT * FROM address_change") == []


def test_who_left_meanwhile_keeps_their_old_address(post: PostOffice) -> None:
    ann, change = asked(post)
    notices.agree_to_move(post.works(), change)
    post.end(ann, SubscriberState.LEFT)
    assert not notices.change_address(post.works(), change)
    assert post.reader(ann).address == ANN


def test_wishes_of_last_month_are_forgotten_once_they_were_sent(post: PostOffice) -> None:
    ann, bert = post.add(ANN), post.add("bert@example.org")
    notices.send_link(post.works(), ANN)
    post.send()
    notices.welcome(post.works(), bert)
    post.now += timedelta(days=31)
    notices.forget_unconfirmed(post.works())
    assert post.rows("SELECT subscriber_id FROM notice") == [(bert,)]
    assert ann != bert


def test_an_address_that_somebody_has_is_not_taken_over(post: PostOffice) -> None:
    ann, change = asked(post)
    post.add(NEW)
    notices.agree_to_move(post.works(), change)
    with pytest.raises(ConflictError, match="subscribed with this address already"):
        notices.change_address(post.works(), change)
    assert post.reader(ann).address == ANN


@pytest.mark.parametrize("reason", ["spam", "bounce"])
def test_no_letter_goes_to_a_suppressed_new_address(post: PostOffice, reason: str) -> None:
    ann = post.add(ANN)
    post.suppress(NEW, reason)
    assert not notices.ask_address_change(post.works(), ann, NEW)
    post.send()
    assert post.letters() == []


def test_what_is_no_address_is_said_to_be_none(post: PostOffice) -> None:
    with pytest.raises(SubscriberError, match="is no address"):
        notices.ask_address_change(post.works(), post.add(ANN), "ann at example")


# --- to many ----------------------------------------------------------------------------------------------


def test_a_supported_council_is_told_to_all_who_waited_and_to_no_one_else(post: PostOffice) -> None:
    for n in range(5):
        post.add(f"reader{n}@example.org", *(("aber", "bury") if n % 2 else ("aber",)))
    post.add("other@example.org", "bury")
    paused = post.add("paused@example.org")
    post.pause(paused)
    assert notices.supported(post.works(), "aber") is not None
    assert notices.supported(post.works(), "aber") is None
    post.now += timedelta(seconds=1)
    post.add("late@example.org")
    counts = post.send()
    assert (counts["handed_over"], counts["editions"]) == (5, 1)
    assert {str(letter["To"]) for letter in post.letters()} == {f"reader{n}@example.org" for n in range(5)}
    letter = post.letters()[0]
    assert letter["Subject"] == "Now with summaries: Aber"
    assert letter["List-Id"]
    assert "preferences" in links_in(letter)


def test_a_service_notice_goes_only_once_it_is_approved(post: PostOffice) -> None:
    post.add(ANN)
    notice = notices.service(post.works(), WORDS)
    assert post.send()["runs"] == 0
    assert notices.approve(post.database, notice.id, now=post.now)
    assert not notices.approve(post.database, notice.id, now=post.now)
    post.send()
    letter = post.one(ANN)
    assert letter["Subject"] == "We move house"
    assert 'href="https://x.example/why"' in words_of(letter, "html")
    assert "https://x.example/why" in words_of(letter)
    assert post.rows("SELECT action FROM audit") == [("notice approved",)]


def test_a_dropped_notice_never_goes(post: PostOffice) -> None:
    post.add(ANN)
    notice = notices.service(post.works(), WORDS)
    notices.approve(post.database, notice.id, now=post.now)
    assert notices.drop(post.database, notice.id, now=post.now)
    assert not notices.approve(post.database, notice.id, now=post.now)
    assert post.send()["runs"] == 0


def test_the_same_words_to_the_same_people_are_one_notice(post: PostOffice) -> None:
    assert notices.service(post.works(), WORDS) == notices.service(post.works(), WORDS)


@pytest.mark.parametrize(
    ("councils", "tier", "reached"),
    [
        ((), None, {"a", "b", "pro"}),
        (("bury",), None, {"b"}),
        (("aber", "bury"), None, {"a", "b", "pro"}),
        ((), Tier.PROFESSIONAL, {"pro"}),
        (("bury",), Tier.PROFESSIONAL, set()),
    ],
)
def test_an_audience_is_councils_and_tier(
    post: PostOffice, councils: tuple[str, ...], tier: Tier | None, reached: set[str]
) -> None:
    post.add("a@example.org", "aber")
    post.add("b@example.org", "bury")
    post.add("pro@example.org", "aber", tier=Tier.PROFESSIONAL)
    words = ToMany(WORDS.title, WORDS.markdown, councils, tier)
    assert notices.size_of(post.works(), words) == len(reached)
    notice = notices.service(post.works(), words)
    assert notices.audience_size(post.works(), notice.id) == len(reached)
    notices.approve(post.database, notice.id, now=post.now)
    post.send()
    assert {str(letter["To"]).partition("@")[0] for letter in post.letters()} == reached


def test_what_cannot_be_a_service_notice_is_refused_at_once(post: PostOffice) -> None:
    with pytest.raises(RenderError, match="title and at least one paragraph"):
        notices.service(post.works(), ToMany("Title", "  "))
    with pytest.raises(NotFoundError, match="abre"):
        notices.service(post.works(), ToMany("Title", "Words", councils=("abre",)))
    assert post.rows("SELECT * FROM notice") == []


def test_a_large_audience_planned_in_parts_and_killed_between_gets_each_letter_once(
    post: PostOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    from digest.pipeline import audiences

    monkeypatch.setattr(audiences, "RANGE_SIZE", 3)
    for n in range(8):
        post.add(f"reader{n}@example.org", *(("aber", "bury") if n % 2 else ("aber",)))
    notices.supported(post.works(), "aber")
    planned = 0

    def die_in_the_middle(what: str, run_id: int, n: int) -> None:
        nonlocal planned
        planned += 1
        if planned == 2:
            raise KilledError

    from digest.pipeline.run import Progress

    with pytest.raises(KilledError):
        notices.send_pending(post.works(), progress=Progress(die_in_the_middle))
    assert 0 < post.rows("SELECT count(*) FROM delivery")[0][0] < 8
    counts = post.send()
    assert (counts["due"], counts["handed_over"]) == (8, 8)
    assert len({str(letter["To"]) for letter in post.letters()}) == 8


def test_who_waits_for_an_answer_waits_for_no_letter_to_everybody(post: PostOffice) -> None:
    """Each look may hand over one batch, and then others have their turn."""
    for n in range(9):
        post.add(f"reader{n}@example.org")

    everybody = notices.service(post.works(), WORDS)
    notices.approve(post.database, everybody.id, now=post.now)

    def look(*, only_personal: bool = False) -> int:
        before = len(post.letters())
        works = post.works()
        desk = replace(works.desk, claim_size=1, should_stop=lambda: len(post.letters()) > before)
        notices.send_pending(replace(works, desk=desk), only_personal=only_personal)
        return len(post.letters()) - before

    assert look() == 2
    ann = post.pending(ANN)
    notices.ask_to_confirm(post.works(), ann)
    post.now += A_MOMENT
    assert look() == 1
    assert post.one(ANN)["Subject"] == "Please confirm: your digest of Aber"
    # What pages ask for is all that the pages' own process sends.
    assert look(only_personal=True) == 0
    assert look() == 2


# --- unconfirmed ------------------------------------------------------------------------------------------


def test_an_address_that_nobody_confirms_is_forgotten_after_a_week(post: PostOffice) -> None:
    ann = post.pending(ANN)
    notices.ask_to_confirm(post.works(), ann)
    post.send()
    post.now = THURSDAY + timedelta(days=7)
    assert notices.forget_unconfirmed(post.works()) == 0
    post.now += timedelta(seconds=1)
    assert notices.forget_unconfirmed(post.works()) == 1
    assert notices.forget_unconfirmed(post.works()) == 0
    assert post.reader(ann).address == ""
    assert post.reader(ann).state is SubscriberState.ERASED
    assert post.rows("SELECT action, subject, facts FROM audit") == [
        (notices.FORGOTTEN, f"subscriber:{ann}", "{}")
    ]


def test_who_is_forgotten_may_sign_up_again(post: PostOffice) -> None:
    post.pending(ANN)
    post.now += timedelta(days=8)
    notices.forget_unconfirmed(post.works())
    assert notices.ask_to_confirm(post.works(), post.pending(ANN))


def test_being_asked_again_gives_another_week(post: PostOffice) -> None:
    ann = post.pending(ANN)
    post.now += timedelta(days=6)
    notices.ask_to_confirm(post.works(), ann)
    post.now += timedelta(days=2)
    assert notices.forget_unconfirmed(post.works()) == 0


def test_a_former_reader_who_does_not_confirm_has_left_again(post: PostOffice) -> None:
    from digest.store import subscribers

    ann = post.add(ANN)
    post.end(ann, SubscriberState.LEFT)
    with post.database.write() as connection:
        subscribers.await_confirmation(connection, ann)
    post.now += timedelta(days=8)
    notices.forget_unconfirmed(post.works())
    assert (post.reader(ann).state, post.reader(ann).ended_reason) == (
        SubscriberState.LEFT,
        "not confirmed",
    )


def test_confirmed_readers_are_not_forgotten(post: PostOffice) -> None:
    ann = post.add(ANN)
    post.now += timedelta(days=30)
    assert notices.forget_unconfirmed(post.works()) == 0
    assert post.reader(ann).address == ANN


def test_links_lead_to_the_service(post: PostOffice) -> None:
    notices.ask_to_confirm(post.works(), post.pending(ANN))
    post.send()
    assert f"{BASE}/confirm/" in words_of(post.one(ANN))

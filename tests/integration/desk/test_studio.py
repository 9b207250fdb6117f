"""The studio shows any letter as its reader gets it, with what explains it."""

from __future__ import annotations

import email
import email.policy
import re
from html import unescape
from pathlib import Path

import pytest

from digest.resources import resource_dir
from digest.wiring import Hall
from tests.integration.desk.conftest import Operator

ANN = "who=ann.mellor@example.org"


def test_the_letter_is_that_of_the_run(studio: Operator, hall: Hall) -> None:
    sent = next(
        message
        for path in sorted(Path(hall.settings.outbox.directory).rglob("*.eml"))
        if (message := email.message_from_bytes(path.read_bytes(), policy=email.policy.default))["To"]
        .addresses[0]
        .addr_spec
        == "ann.mellor@example.org"
    )
    page = studio.get(f"/studio?{ANN}&week=run:1&view=text").text
    assert "As its run stored it" in page
    shown = re.search(r'<pre class="source">(.*?)</pre>', page, re.DOTALL)
    body = sent.get_body(("plain",))
    assert shown
    assert body

    def words(text: str) -> list[str]:
        return [word for word in text.split() if "http" not in word]

    assert words(unescape(shown[1])) == words(body.get_content())


@pytest.mark.parametrize("view", ["letter", "text", "source", "headers", "why"])
def test_each_view_shows_something_of_stockport(studio: Operator, view: str) -> None:
    answer = studio.get(f"/studio?{ANN}&view={view}")
    assert answer.status_code == 200
    assert "stockport" in answer.text.lower()


def test_made_up_wishes_have_a_letter(studio: Operator) -> None:
    page = studio.get("/studio/letter?council=stockport&detail=full").text
    assert "Stockport" in page


def test_wishes_that_cannot_be_say_why(studio: Operator) -> None:
    assert "there is no council" in unescape(studio.get("/studio?council=stockprt").text)
    assert "nobody is subscribed" in studio.get("/studio?who=nobody@example.org").text
    assert "is no moment" in unescape(studio.get(f"/studio?{ANN}&at=yesterday").text)


def test_dark_images_off_and_stripped_styles_change_what_the_frame_gets(studio: Operator) -> None:
    plain = studio.get(f"/studio/letter?{ANN}")
    dark = studio.get(f"/studio/letter?{ANN}&scheme=dark")
    assert "prefers-color-scheme: dark" not in plain.text
    assert "@media not all" in plain.text
    assert "@media all" in dark.text
    without = studio.get(f"/studio/letter?{ANN}&images=off&styles=off")
    assert "img-src 'none'" in without.headers["Content-Security-Policy"]
    assert "<style" not in without.text


def test_a_letter_in_its_frame_may_run_nothing(studio: Operator) -> None:
    policy = studio.get(f"/studio/letter?{ANN}").headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "sandbox" in policy
    assert "script-src" not in policy


def test_a_past_week_is_composed_of_what_was_known_then(studio: Operator) -> None:
    before = studio.get("/studio?council=stockport&at=2025-08-01T17:00&view=why").text
    assert "Nothing was published in this range" in before


@pytest.fixture
def own_templates(tmp_path: Path) -> Path:
    own = tmp_path / "own"
    own.mkdir()
    (own / "letter.txt").write_text((resource_dir("templates") / "email" / "letter.txt").read_text())
    return own


def test_a_changed_template_shows_at_once(studio: Operator, own_templates: Path) -> None:
    look = f"/studio?{ANN}&view=text&templates={own_templates}"
    assert "A CHANGED LINE" not in studio.get(look).text
    letter = own_templates / "letter.txt"
    letter.write_text("A CHANGED LINE\n" + letter.read_text())
    assert "A CHANGED LINE" in studio.get(look).text


def test_a_broken_template_names_its_place_while_the_last_good_letter_stays(
    studio: Operator, own_templates: Path
) -> None:
    look = f"/studio?{ANN}&view=text&templates={own_templates}"
    studio.get(look)
    letter = own_templates / "letter.txt"
    letter.write_text("{{ no_such_thing }}\n" + letter.read_text())
    page = unescape(studio.get(look).text)
    assert "letter.txt" in page
    assert "no_such_thing" in page
    assert "last good letter" in page
    assert "Stockport" in page


def test_two_folders_of_templates_stand_side_by_side(studio: Operator, own_templates: Path) -> None:
    letter = own_templates / "letter.txt"
    letter.write_text("ON THE RIGHT\n" + letter.read_text())
    page = studio.get(f"/studio?{ANN}&view=text&beside=templates:{own_templates}").text
    left, right = page.split('<pre class="source">')[1:]
    assert "ON THE RIGHT" not in left
    assert "ON THE RIGHT" in right


def test_a_saved_template_is_told_to_the_open_page(studio: Operator, hall: Hall, tmp_path: Path) -> None:
    with studio.http.stream("GET", "/operator/studio/changes") as stream:
        lines = stream.iter_lines()
        assert next(lines).startswith("retry:")


def test_a_test_letter_goes_to_the_allow_list_only(studio: Operator, hall: Hall) -> None:
    refused = studio.post(f"/studio/send?{ANN}", on=f"/studio?{ANN}", to="stranger@example.org")
    assert "not+on" in refused.headers["Location"] or "not%20on" in refused.headers["Location"]
    assert not (Path(hall.settings.outbox.directory) / "0").exists()
    sent = studio.post(f"/studio/send?{ANN}", on=f"/studio?{ANN}", to="test@example.org")
    assert "outbox" in sent.headers["Location"]
    (file,) = (Path(hall.settings.outbox.directory) / "0").glob("*.eml")
    letter = email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
    assert letter["Subject"].startswith("[test] ")
    assert letter["To"].addresses[0].addr_spec == "test@example.org"


def test_an_edition_of_the_next_run_opens_in_the_studio(studio: Operator) -> None:
    page = studio.get("/runs/next?all=1").text
    assert "with what is known by now" in page
    link = unescape(page.split("/operator/studio?")[1].split('"')[0])
    subject = unescape(re.search(r"/operator/studio\?[^>]*>([^<]*)</a>", page)[1])  # type: ignore[index]
    shown = unescape(studio.get(f"/studio?{link}").text)
    assert "An edition of" in shown
    assert f"<b>{subject}</b>" in shown


def test_an_edition_that_is_none_says_so(studio: Operator) -> None:
    assert "is no edition" in unescape(studio.get("/studio?edition=12").text)
    assert "there are no wishes 999" in unescape(studio.get("/studio?edition=999:1:1").text)

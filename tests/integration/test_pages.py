"""Pages come back as they were rendered, whatever they share, and each distinct one is stored once."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import orjson
import zstandard
from sqlalchemy import text

from digest.model import Form, Page
from digest.store import pages
from digest.store.database import Database
from digest.store.types import to_stored

NOW = datetime(2025, 9, 7, 17, 0, tzinfo=UTC)
HTML = ("<html>£“" + "<p>roads</p>" * 2_000, "</html>\n")


def page(form: Form, own: str, **changes: str) -> Page:
    words = {"subject": "Roads", "preheader": "And more", "language": "cy"} | changes
    return Page.laid_out(form, (f"<b>{own}</b>", own), **words)


def stored(database: Database, *several: Page) -> list[int]:
    with database.write() as connection:
        return pages.page_ids_of(connection, several, now=NOW)


def test_pages_of_one_form_come_back_whole_and_share_it(database: Database) -> None:
    form = Form(HTML, ("Roads: ", "\n"))
    made = [page(form, "zebra"), page(form, "\x00 🦓 \n"), page(form, "zebra", subject="Streets")]
    plain = [Page("S", "P", None, "Text alone"), Page("S", "P", "<p>ä", "Both\n", "en")]
    texts = Form(None, ("Hello ", " and ", "."))
    made.append(page(texts, "you"))
    ids = stored(database, *made, *plain)
    forms: dict[int, Form] = {}
    with database.read() as connection:
        found = pages.pages_by_id(connection, ids, forms=forms)
        assert pages.page_by_id(connection, ids[0]) == made[0]
    assert [found[id_] for id_ in ids] == [*made, *plain]
    assert found[ids[0]].form is found[ids[1]].form is found[ids[2]].form
    assert len(forms) == 2
    with database.read() as connection:
        again = pages.pages_by_id(connection, ids, forms=forms)
    assert again[ids[3]].form is found[ids[3]].form


def test_equal_pages_are_stored_once_however_they_were_made(database: Database) -> None:
    first, again = (page(Form(HTML, ("Roads: ", "\n")), "zebra") for _ in range(2))
    other = page(Form(HTML, ("Roads: ", "\n")), "unicorn")
    ids = stored(database, first, other, again)
    assert ids[0] == ids[2] != ids[1]
    assert stored(database, again) == ids[:1]
    plain = stored(database, replace(first))
    assert plain == stored(database, replace(again)) != ids[:1]


def test_a_page_stored_before_schema_0005_is_read_still(database: Database) -> None:
    """Those were compressed as a whole: a line of JSON, then the HTML."""
    with database.write() as connection:
        for id_, html in ((901, "<p>£63 million\n</p>"), (902, None)):
            head = orjson.dumps(["Roads", "And more", "Text £", "cy", html is not None])
            body = zstandard.compress(head + b"\n" + (html or "").encode(), 1)
            connection.execute(
                text("INSERT INTO page (id, fingerprint, body, created_at) VALUES (:id, :f, :body, :at)"),
                {"id": id_, "f": str(id_), "body": body, "at": to_stored(NOW)},
            )
    with database.read() as connection:
        found = pages.pages_by_id(connection, (901, 902))
    assert found[901] == Page("Roads", "And more", "<p>£63 million\n</p>", "Text £", "cy")
    assert found[902] == Page("Roads", "And more", None, "Text £", "cy")

"""Letters in English and Welsh: every fixed text, plurals, dates, and a catalogue's faults found at start."""

from __future__ import annotations

import re
from io import BytesIO

import pytest
from babel.messages.pofile import read_po

from digest.errors import TemplateError
from digest.model import Page, Profile
from digest.render.page import render_page
from digest.render.skeleton import compile_skeleton
from digest.render.words import language_name, languages_from
from digest.resources import resource_dir
from tests.unit.render.builders import PUBLICATION, decided, edition, skeleton, sources, whole_edition
from tests.unit.render.catalogue import texts

WELSH = Profile(councils=("stockport",), language="cy", keywords=("send",))
PLACEHOLDER = re.compile(r"%\(\w+\)[sd]")


def welsh_letter() -> Page:
    return render_page(whole_edition(profile=WELSH), skeleton())


def test_the_welsh_catalogue_has_every_text_and_no_other() -> None:
    catalogue = read_po(BytesIO(sources()["locale/cy.po"].encode()), locale="cy")
    single, counted = texts()
    have = {m.id for m in catalogue if m.id and m.string and all(m.string)}
    assert have == single | counted
    assert len(have) > 100


def test_every_translation_keeps_its_placeholders() -> None:
    for message in read_po(BytesIO(sources()["locale/cy.po"].encode()), locale="cy"):
        if not message.id:
            continue
        ids = message.id if isinstance(message.id, tuple) else (message.id,)
        strings = message.string if isinstance(message.string, tuple) else (message.string,)
        for original, translation in zip(ids, strings, strict=True):
            assert sorted(PLACEHOLDER.findall(original)) == sorted(PLACEHOLDER.findall(str(translation)))


def test_no_welsh_word_that_would_mutate_a_day_stands_before_one() -> None:
    pages = sorted((resource_dir("templates") / "web" / "locale" / "cy").glob("*.po"))
    catalogues = [sources()["locale/cy.po"], *(page.read_text(encoding="utf-8") for page in pages)]
    assert len(catalogues) > 2
    for catalogue in catalogues:
        # "ar ddydd Sul", "tan ddydd Sul": our day is always "Dydd Sul".
        assert not re.findall(r".*\b(?:ar|tan|i|o|am|hyd) %\(day\)s.*", catalogue)


def test_a_welsh_letter_speaks_welsh() -> None:
    text = re.sub(r"\s+", " ", welsh_letter().text)
    for words in (
        "Helo-dgNameT-,",
        "Y tu mewn: penderfyniadau 7 o gyfarfodydd, un cywiriad, un crynodeb",
        "Dydd Mercher 3 Medi, 6pm",
        "PENDERFYNWYD",
        "a 4 o grynodebau eraill (Stockport), ar y we",
        "Yma oherwydd rydych yn dilyn",
        "Dad-danysgrifio",
    ):
        assert words in text


def test_a_welsh_letter_has_no_english_of_ours() -> None:
    single, _ = texts()
    page = welsh_letter()
    same = {"Agenda", "Papers"}  # the same word, or part of a name in the sample
    for text in sorted(single - same):
        if "%" not in text and len(text) > 8:
            assert text not in page.text, text
            assert f">{text}<" not in (page.html or ""), text


def test_a_welsh_letter_says_so_and_marks_english_passages() -> None:
    html = welsh_letter().html or ""
    assert '<html lang="cy"' in html
    assert re.search(r'<h3[^>]*lang="en"[^>]*>', html)
    assert welsh_letter().language == "cy"


def test_a_language_without_a_catalogue_gets_english() -> None:
    page = render_page(
        edition(decided(), profile=Profile(councils=("stockport",), language="fr")), skeleton()
    )
    assert page.language == "en"


def test_each_language_remembers_its_own_fragments() -> None:
    welsh_letter()
    assert "What was decided".upper() not in render_page(whole_edition(), skeleton()).text
    assert "DECIDED" in render_page(whole_edition(), skeleton()).text


@pytest.mark.parametrize(("n", "says"), [(1, "un cywiriad"), (2, "2 o gywiriadau"), (6, "6 o gywiriadau")])
def test_welsh_plurals(n: int, says: str) -> None:
    assert languages_from(sources())["cy"].count("one correction", "%(n)d corrections", n) == says


@pytest.mark.parametrize(
    ("code", "within", "name"), [("cy", "en", "Welsh"), ("en", "cy", "Saesneg"), ("x!", "en", "x!")]
)
def test_languages_have_names(code: str, within: str, name: str) -> None:
    assert language_name(code, within) == name


@pytest.mark.parametrize(
    ("translation", "says"),
    [
        ("%(oops)s", r"locale/cy\.po, line 4: %\(oops\)s is not in 'Unsubscribe'"),
        ("100% gone", r"locale/cy\.po, line 4: % "),
    ],
)
def test_a_broken_translation_is_found_at_start(translation: str, says: str) -> None:
    po = f'msgid ""\nmsgstr ""\n\nmsgid "Unsubscribe"\nmsgstr "{translation}"\n'
    with pytest.raises(TemplateError, match=says):
        compile_skeleton({**sources(), "locale/cy.po": po}, PUBLICATION)


def test_a_translation_is_never_a_template() -> None:
    po = 'msgid ""\nmsgstr ""\n\nmsgid "Unsubscribe"\nmsgstr "{{ 7 * 7 }} <b>"\n'
    broken = compile_skeleton({**sources(), "locale/cy.po": po}, PUBLICATION)
    html = render_page(edition(decided(), profile=WELSH), broken).html or ""
    assert "{{ 7 * 7 }} &lt;b&gt;" in html

"""Every fixed text of the pages exists in Welsh, and nothing in the catalogues is left over."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pytest
from babel.messages.extract import extract, extract_from_file
from babel.messages.pofile import read_po

ROOT = Path(__file__).resolve().parents[3]
WEB = ROOT / "templates" / "web"
FUNCTIONS = ("gettext", "ngettext", "_", "message", "plural")


def texts_of(path: Path) -> set[str]:
    method = "python" if path.suffix == ".py" else "jinja2.ext:babel_extract"
    options = (
        {} if path.suffix == ".py" else {"silent": "false", "trim_blocks": "true", "lstrip_blocks": "true"}
    )
    keywords: dict[str, tuple[int, ...] | None] = dict.fromkeys(FUNCTIONS)
    keywords |= {"ngettext": (1, 2), "plural": (1, 2)}
    found = extract_from_file(method, path, keywords=keywords, options=options)  # type: ignore[arg-type]
    return {text if isinstance(text, str) else text[0] for _, text, _, _ in found}


def shown() -> set[str]:
    sources = [p for p in WEB.rglob("*") if p.suffix in (".html", ".xml") and "desk" not in p.parts]
    sources += (ROOT / "digest" / "web").rglob("*.py")
    return {text for path in sources for text in texts_of(path) if text}


def welsh(folder: Path) -> set[str]:
    found: set[str] = set()
    for path in folder.rglob("*.po"):
        catalogue = read_po(BytesIO(path.read_bytes()), locale="cy")
        for entry in catalogue:
            strings = entry.string if isinstance(entry.string, tuple | list) else (entry.string,)
            if entry.id and all(strings) and not entry.fuzzy:
                found.add(entry.id if isinstance(entry.id, str) else entry.id[0])
    return found


def test_the_extractor_sees_texts() -> None:
    page = BytesIO(b"{% trans %}Hello{% endtrans %}{{ gettext('There') }}")
    found = {text for _, text, _, _ in extract("jinja2.ext:babel_extract", page, options={})}
    assert found == {"Hello", "There"}


@pytest.mark.parametrize("text", sorted(shown()))
def test_a_text_of_the_pages_has_its_welsh(text: str) -> None:
    assert text in welsh(WEB / "locale" / "cy") | welsh(ROOT / "templates" / "email" / "locale")


def test_no_welsh_is_left_over() -> None:
    assert not welsh(WEB / "locale" / "cy") - shown()

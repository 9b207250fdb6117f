"""Every fault of a template is found at start, with file, line, name and mend."""

from __future__ import annotations

import pytest

from digest.errors import TemplateError
from digest.render.samples import template_names
from digest.render.skeleton import compile_skeleton
from tests.unit.render.builders import PUBLICATION, sources


def compile_with(file: str, text: str) -> None:
    compile_skeleton({**sources(), file: text}, PUBLICATION)


def part(body: str) -> str:
    return f"<mj-text>\n\n\n{body}\n</mj-text>"


@pytest.mark.parametrize(
    ("file", "text", "says"),
    [
        (
            "parts/quiet.mjml",
            part("{{ sentense }}"),
            r"parts/quiet\.mjml, line 4: no variable 'sentense'.*'sentences'",
        ),
        ("parts/quiet.txt", "\n{{ nothing }}", r"parts/quiet\.txt, line 2: no variable 'nothing'"),
        (
            "parts/decided.mjml",
            part("{{ item.hedding }}"),
            r"parts/decided\.mjml, line 4: .*no attribute 'hedding'; the nearest is 'heading'",
        ),
        ("parts/decided.txt", "a\nb\n{{ item.hedding }}", r"parts/decided\.txt, line 3: .*'hedding'"),
        ("letter.txt", "{{ publication.nam }}", r"letter\.txt, line 1: .*'nam'"),
        ("parts/quiet.txt", "{% fro x in y %}{% endfor %}", r"parts/quiet\.txt, line 1: .*unknown tag 'fro'"),
        ("parts/quiet.txt", "{% if sentences %}", r"parts/quiet\.txt, line 1: .*[Uu]nexpected end"),
        ("parts/quiet.txt", "{{ sentences|shout }}", r"parts/quiet\.txt, line 1: no filter 'shout'"),
        (
            "parts/quiet.txt",
            "{% if sentences is empty %}{{ 1|shout }}{% endif %}",
            r"parts/quiet\.txt, line 1: no filter 'shout'",
        ),
        ("parts/quiet.mjml", part("[[ inc ]]"), r"parts/quiet\.mjml, line 4: no theme token 'inc'; .*'ink'"),
        (
            "parts/quiet.mjml",
            "<mj-sektion>x</mj-sektion>",
            r"parts/quiet\.mjml, line 1: <mj-sektion> is no MJML",
        ),
        (
            "parts/quiet.mjml",
            "<mj-section>\n<mj-column>\n</mj-section>",
            r"line 3: </mj-section> closes <mj-column> of",
        ),
        (
            "parts/quiet.mjml",
            "<mj-section>\n<mj-column></mj-column>",
            r"line 1: <mj-section> is never closed",
        ),
        (
            "parts/quiet.mjml",
            part("<p{% if sentences %} x{% endif %}>a</p>"),
            r"line 4: a Jinja tag stands inside <p",
        ),
        (
            "parts/quiet.mjml",
            part('<p class="{{ sentences }}">a</p>'),
            r"line 4: the class of <p …> is a Jinja tag",
        ),
        (
            "parts/decidet.mjml",
            part("x"),
            r"parts/decidet\.mjml: no template has that name.*parts/decided\.mjml",
        ),
        ("locale/xx-bad-code-.po", 'msgid ""\nmsgstr ""\n', r"locale/xx-bad-code-\.po"),
    ],
)
def test_a_fault_is_named_with_its_place(file: str, text: str, says: str) -> None:
    with pytest.raises(TemplateError, match=says):
        compile_with(file, text)


@pytest.mark.parametrize("name", template_names())
def test_each_template_needs_its_text_twin(name: str) -> None:
    texts = {file: text for file, text in sources().items() if file != f"{name}.txt"}
    with pytest.raises(TemplateError, match=f"{name}.txt is missing"):
        compile_skeleton(texts, PUBLICATION)


def test_a_variable_in_a_branch_not_taken_is_found_too() -> None:
    with pytest.raises(TemplateError, match=r"line 1: no variable 'ghost'"):
        compile_with("parts/quiet.txt", "{% if not sentences and sentences %}{{ ghost }}{% endif %}")

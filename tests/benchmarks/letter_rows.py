"""One letter: composed and rendered, beside Jinja alone writing a letter of that size from ready values."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from jinja2 import Environment

from digest.compose.edition import Facts, edition_of
from digest.compose.lines import LineIndex
from digest.compose.profile import profile_of
from digest.model import Council, Edition, LineKind, LogLine, Meeting, MeetingStatus, Page, Profile
from digest.render.memo import Memo
from digest.render.page import render_page
from digest.render.skeleton import FRAGMENTS_KEPT, SHELLS_KEPT, Skeleton, compile_skeleton
from digest.render.views import ItemView, item_view
from digest.resources import resource_dir
from digest.summaries.condense import condense
from digest.summaries.read import read_summary
from digest.wiring import template_sources
from tests.benchmarks import run_rows

ITEMS = 10
NOW = datetime(2025, 9, 7, 17, 0, tzinfo=UTC)
COUNCIL = Council("council-0", "Council 0")

# What a letter's item says, with nothing around it: the same values, escaped as ours are.
_HTML = (
    "<p>{{ item.eyebrow }}</p><h3>{{ item.heading }}</h3><p>{{ item.when }}</p>{{ item.body }}"
    "<ul>{% for d in item.decisions %}<li>{{ d.item }} {{ d.text }} {{ d.outcome }}</li>{% endfor %}</ul>"
    "<ul>{% for f in item.documents %}<li>"
    '{{ f.label }} <a href="{{ f.url }}">{{ f.text }}</a></li>{% endfor %}</ul>'
    '<a href="{{ item.url }}">All</a><a href="{{ item.council_url }}">Council</a><p>{{ reason }}</p>'
)
_TEXT = (
    "{{ item.heading }}\n{{ item.eyebrow }}\n{{ item.when }}\n\n{{ item.body_text }}\n"
    "{% for d in item.decisions %}- {{ d.item }} {{ d.text }} {{ d.outcome }}\n{% endfor %}"
    "{% for f in item.documents %}- {{ f.label }} {{ f.text }}\n  {{ f.url }}\n{% endfor %}"
    "{{ item.url }}\n{{ item.council_url }}\n{{ reason }}\n"
)


def letter() -> dict[str, float]:
    """Milliseconds of one edition: a run's first (``cold``: no item rendered yet), and its next (``warm``).

    A run renders an item once and joins it into every further edition, so warm is what an edition costs.
    """
    skeleton = compile_skeleton(template_sources(), run_rows.PUBLICATION)
    profile, lines, facts = ten_items()
    index = LineIndex(lines)
    edition = edition_of(profile, index, facts)
    page = render_page(edition, skeleton)

    def cold() -> Page:
        fresh = replace(skeleton, fragments=Memo(FRAGMENTS_KEPT), shells=Memo(SHELLS_KEPT), mark=object())
        return render_page(edition_of(profile, LineIndex(lines), facts), fresh)

    assert cold() == page
    return {
        "cold_ms": per_call(cold),
        "warm_ms": per_call(lambda: render_page(edition_of(profile, index, facts), skeleton)),
        "floor_ms": per_call(bare(page, edition, skeleton)),
        "bytes": len((page.html or "").encode()) + len(page.text.encode()),
    }


def bare(page: Page, edition: Edition, skeleton: Skeleton) -> Callable[[], Any]:
    """Jinja alone: two compiled templates, one loop each, that write as many bytes from ready values."""
    language = skeleton.tongue("en").language
    items = [
        item_view(
            entry,
            detail=entry.detail,
            language=language,
            base_url=skeleton.base_url,
            year=NOW.year,
            dressed=skeleton.dressed,
        )
        for entry in edition.entries
    ]
    html = _of_size(_HTML, len(page.html or ""), items, is_html=True)
    text = _of_size(_TEXT, len(page.text), items, is_html=False)

    def render() -> tuple[str, str]:
        reason = "Here because you follow this council."
        return html.render(items=items, reason=reason), text.render(items=items, reason=reason)

    for written, wanted in zip(render(), (page.html or "", page.text), strict=True):
        assert abs(len(written) - len(wanted)) < 0.02 * len(wanted) + 200, (len(written), len(wanted))
    return render


def _of_size(one: str, size: int, items: list[ItemView], *, is_html: bool) -> Any:
    """The template that writes ``size`` characters: what its values leave is fixed markup, item by item."""
    environment = Environment(autoescape=is_html)  # noqa: S701 - the other half is plain text

    def template(filler: int) -> Any:
        return environment.from_string("{% for item in items %}" + one + "x" * filler + "{% endfor %}")

    written = len(template(0).render(items=items, reason=""))
    return template(max(0, (size - written) // len(items)))


def ten_items() -> tuple[Profile, list[LogLine], Facts]:
    """Wishes, log and facts of one edition of ten of the samples' summaries, as they are condensed."""
    folder = resource_dir("samples") / "summaries"
    english = [file for file in sorted(folder.glob("*.md")) if not file.stem.endswith(".cy")]
    files = islice(cycle(english), ITEMS)
    lines = [_line(number, file) for number, file in enumerate(files)]
    facts = Facts(from_seq=0, upto_seq=ITEMS, as_of=NOW, councils={COUNCIL.slug: COUNCIL}, full_items=ITEMS)
    return profile_of(councils=[COUNCIL.slug]), lines, facts


def _line(number: int, file: Path) -> LogLine:
    summary = read_summary(file.read_bytes(), name=file.name, timezone_of=lambda slug: "Europe/London")
    meeting = Meeting(
        number, f"m{number}", COUNCIL.slug, summary.committee, summary.committee, NOW - timedelta(days=4),
        None, MeetingStatus.HELD, "https://example.org/m",
    )  # fmt: skip
    at = NOW - timedelta(days=2)
    return LogLine(
        number + 1, LineKind.SUMMARY, f"summary:{number}", 1, COUNCIL.slug, at, meeting, number + 1, at,
        summaries=(condense(summary),),
    )  # fmt: skip


def per_call(call: Callable[[], Any], *, seconds: float = 2.0) -> float:
    """Milliseconds of one call, as the best of five spells."""
    call()
    best = float("inf")
    for _ in range(5):
        began, n = time.perf_counter(), 0
        while time.perf_counter() - began < seconds / 5:
            call()
            n += 1
        best = min(best, (time.perf_counter() - began) / n)
    return best * 1000

"""The body of a summary file: lead, sections and footnotes."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from markdown_it import MarkdownIt
from markdown_it.token import Token

from digest.errors import SummaryError
from digest.model import Section
from digest.summaries.footnotes import take_apart

MAX_BODY = 100_000  # characters; a long summary has 15,000
MAX_LINE = 10_000  # keeps every parser's work small
# Only blocks are looked at here; what stands inside them is parsed when the summary is condensed.
_OUTLINE = MarkdownIt("commonmark", {"html": False, "maxNesting": 12}).disable("inline")


@dataclass(frozen=True, slots=True)
class Body:
    """A body taken apart; all parts are Markdown with footnote marks (see ``footnotes``)."""

    lead: str
    sections: tuple[Section, ...]
    footnotes: tuple[tuple[str, str], ...]


def read_body(text: str, *, first_line: int = 1) -> Body:
    """The parts of a tidied body whose first line is ``first_line`` of its file.

    Text between the lead and the first ``##`` is a section with the heading "". Sections without any
    text (what remains of a "Notes" heading once its footnotes are taken out) are dropped.
    Raises: SummaryError with the line.
    """
    _check_size(text, first_line)
    text, notes = take_apart(text, first_line=first_line)
    lines = text.split("\n")
    tokens = _OUTLINE.parse(text)
    lead_at, lead_end = _lead_lines(tokens, first_line)
    sections = _sections(lines, tokens, after=lead_end)
    return Body(_joined(lines[lead_at:lead_end]), sections, notes)


def _check_size(text: str, first_line: int) -> None:
    if not text.strip():
        raise SummaryError(
            "there is no text: write the lead paragraph, then '## …' sections", line=first_line
        )
    if len(text) > MAX_BODY:
        raise SummaryError(
            f"the text has {len(text)} characters, at most {MAX_BODY} are allowed: shorten it",
            line=first_line,
        )
    for n, line in enumerate(text.split("\n")):
        if len(line) > MAX_LINE:
            raise SummaryError(
                f"this line has {len(line)} characters, at most {MAX_LINE} are allowed: break it up",
                line=first_line + n,
            )


def _lead_lines(tokens: list[Token], first_line: int) -> tuple[int, int]:
    first = tokens[0] if tokens else None
    if first is None or first.map is None:
        raise SummaryError("there is no text beside footnotes: write the lead paragraph", line=first_line)
    if first.type != "paragraph_open":
        is_heading = first.type == "heading_open"
        mend = "give a title as 'title: …' instead" if is_heading else "move it below"
        raise SummaryError(
            f"the text must start with a paragraph (the lead), not with a {_name_of(first)}: {mend}",
            line=first_line + first.map[0],
        )
    return first.map[0], first.map[1]


def _name_of(token: Token) -> str:
    names = {"heading_open": "heading", "bullet_list_open": "list", "ordered_list_open": "list"}
    return names.get(token.type, token.type.removesuffix("_open").replace("_", " "))


def _sections(lines: list[str], tokens: list[Token], *, after: int) -> tuple[Section, ...]:
    """Sections at each top heading of level 1 or 2, from the line ``after`` (from 0) on."""
    cuts: list[tuple[int, int, str]] = [(after, after, "")]
    for token, inline in pairwise(tokens):
        if token.type == "heading_open" and token.level == 0 and token.tag in ("h1", "h2") and token.map:
            cuts.append((token.map[0], token.map[1], inline.content.strip()))
    ends = [start for start, _, _ in cuts[1:]] + [len(lines)]
    parts = [(heading, _joined(lines[at:end])) for (_, at, heading), end in zip(cuts, ends, strict=True)]
    return tuple(Section(heading, markdown) for heading, markdown in parts if markdown)


def _joined(lines: list[str]) -> str:
    return "\n".join(line.rstrip() for line in lines).strip("\n")

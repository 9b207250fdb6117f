"""A rendered piece of a letter, HTML and text, with a gap where the reader's own reason goes."""

from __future__ import annotations

from dataclasses import dataclass

from digest.render.tags import size_after


@dataclass(frozen=True, slots=True)
class Fragment:
    """Both forms of one part, cut where the reason stands (the tails are empty where it does not).

    ``html_bytes`` and ``text_bytes`` are their sizes in UTF-8 without the reason, tags replaced;
    ``size_bytes`` is the larger.
    """

    html: str
    html_tail: str
    text: str
    text_tail: str
    html_bytes: int
    text_bytes: int
    size_bytes: int


# A control character: content has lost its own before it gets here (plain.one_line, plain.many_lines).
GAP = "\x02"
# Where the words go that are the letter's own (why this reader gets it), in its shell.
OWN_GAP = "\x04"


def fragment_of(html: str, text: str) -> Fragment:
    """The fragment, cut at ``GAP``."""
    html_head, _, html_tail = html.partition(GAP)
    text_head, _, text_tail = text.partition(GAP)
    html_bytes, text_bytes = size_after(html), size_after(text)
    size = max(html_bytes, text_bytes)
    return Fragment(html_head, html_tail, text_head, text_tail, html_bytes, text_bytes, size)

"""A rendered piece of a letter, HTML and text, with a gap where the reader's own reason goes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fragment:
    """Both forms of one part, cut where the reason stands (the tails are empty where it does not).

    ``size_bytes`` is the larger of the two in UTF-8, without the reason.
    """

    html: str
    html_tail: str
    text: str
    text_tail: str
    size_bytes: int


# A control character: content has lost its own before it gets here (plain.one_line, plain.many_lines).
GAP = "\x02"


def fragment_of(html: str, text: str) -> Fragment:
    """The fragment, cut at ``GAP``."""
    html_head, _, html_tail = html.partition(GAP)
    text_head, _, text_tail = text.partition(GAP)
    size = max(len(html.encode("utf-8")), len(text.encode("utf-8")))
    return Fragment(html_head, html_tail, text_head, text_tail, size)

"""Papers of a meeting from enclosures and from links inside an item's text."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable

from digest.intake.items import Item, Where
from digest.intake.links import clean_link
from digest.intake.titles import document_kind, plain
from digest.model import Document

MAX_PAPERS = 50
_ANCHOR = re.compile(r"<a\s([^<>]{1,2000})>((?:[^<]|<(?!/a)[^<>]{0,200}>){0,300})", re.IGNORECASE)
_HREF = re.compile(r"""href\s{0,3}=\s{0,3}(?:"([^"<>]{1,2000})"|'([^'<>]{1,2000})')""", re.IGNORECASE)
_FILE = re.compile(r"\.(?:pdf|docx?|odt|rtf|xlsx?|pptx?|html?)(?:[?#]|$)", re.IGNORECASE)
_PAPER_WORDS = re.compile(
    r"\b(?:agenda|minutes|report|pack|packet|supplement|addendum|decision|notice|summons|appendix)", re.I
)


def anchors(text: str) -> Iterable[tuple[str, str]]:
    """(address as written, label) of each link of an HTML text; at most ``MAX_PAPERS``."""
    for n, match in enumerate(_ANCHOR.finditer(text)):
        if n >= MAX_PAPERS:
            return
        href = _HREF.search(match[1])
        if href:
            yield html.unescape(href[1] or href[2]), plain(match[2])


def enclosed(item: Item, where: Where) -> tuple[Document, ...]:
    """Enclosures on the council's hosts, by kind; an enclosure without a title has its file's name."""
    files = (link for link in item.links[:MAX_PAPERS] if link.rel == "enclosure")
    return tuple(p for f in files if (p := paper_of(f.href, f.title, where)) is not None)


def linked(text: str, where: Where, *, only_papers: bool = True) -> tuple[Document, ...]:
    """Papers linked inside a text: files, and links that are called so."""
    found: dict[str, Document] = {}
    for href, label in anchors(text):
        if only_papers and not (_FILE.search(href) or _PAPER_WORDS.search(label)):
            continue
        paper = paper_of(href, label, where)
        if paper is not None:
            found.setdefault(paper.url, paper)
    return tuple(found.values())


def is_file(href: str) -> bool:
    """Whether an address is a document's, by its extension; a page of HTML is none."""
    return bool((match := _FILE.search(href)) and not match[0].lower().startswith(".htm"))


def paper_of(href: str, title: str, where: Where) -> Document | None:
    """One paper, or None where its address is not on the council's hosts."""
    url = clean_link(href, base=where.url, hosts=where.hosts)
    if url is None:
        return None
    title = title or plain(url.partition("?")[0].rpartition("/")[2])
    return Document(document_kind(title, url), title or "Document", url)


def papers(item: Item, where: Where) -> tuple[Document, ...]:
    """All papers of an item, enclosures first, each address once."""
    every = (*enclosed(item, where), *linked(item.content or item.summary, where))
    return tuple({p.url: p for p in reversed(every)}.values())[::-1][:MAX_PAPERS]

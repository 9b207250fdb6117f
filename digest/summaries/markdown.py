"""Markdown of a summary as simple HTML and as plain text, both safe whatever the source holds.

Tags that come out: p ul ol li strong em a h4 blockquote sup, without attributes but ``href``
and ``start``. Raw HTML is shown as text, images as their description, tables as lists, code as plain words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from html import escape

import nh3
from markdown_it import MarkdownIt
from markdown_it.token import Token

from digest.summaries.clean import defused, free_standing, tidy
from digest.summaries.fields import is_web_address
from digest.summaries.footnotes import replace_marks, without_references, without_remains

TAGS = {"p", "ul", "ol", "li", "strong", "em", "a", "h4", "blockquote", "sup"}
MAX_MARKDOWN = 100_000  # characters; what a file may hold, see body.py
MAX_LINE = 10_000
# maxNesting: deeper structure is flattened; a letter shows three levels of list at most.
_PARSER = MarkdownIt("commonmark", {"html": False, "maxNesting": 12}).enable("table")
_PARSER.validateLink = lambda url: True  # type: ignore[method-assign]  # bad links lose their address below
# "Money: the fund…" without bold type: at most five words before the colon, and no sentence among them.
_PLAIN_LABEL = re.compile(r"(?=[^:]{2,50}:)[^\W\d_][^\s:.;!?⁽]*(?: [^\s:.;!?⁽]+){0,4}:(?=\s)")


def bounded(markdown: str) -> str:
    """Tidied Markdown, cut to sizes that keep every parser's work small; what is cut ends with "…"."""
    text = tidy(markdown)
    if len(text) > MAX_MARKDOWN:
        text = text[:MAX_MARKDOWN] + "…"
    if len(text) <= MAX_LINE:
        return text
    return "\n".join(line if len(line) <= MAX_LINE else line[:MAX_LINE] + "…" for line in text.split("\n"))


@dataclass(frozen=True, slots=True)
class Block:
    """One paragraph or list item: its bold start ("Money") or "", and the other words, marks left in."""

    label: str
    words: str


@dataclass(frozen=True, slots=True)
class Rendered:
    """One Markdown text in every form, footnote marks left in: ``harmless`` gives the forms to show.

    ``words`` is all of it on one line, ``blocks`` its paragraphs and list items without headings.
    """

    html: str
    text: str
    words: str
    blocks: tuple[Block, ...]


def rendered(markdown: str) -> Rendered:
    """The text parsed once and given in every form."""
    tokens = list(_simple(_PARSER.parse(bounded(markdown))))
    inline = [token for token in tokens if token.type == "inline"]
    return Rendered(
        html=_sanitised(_PARSER.renderer.render(tokens, _PARSER.options, {})),
        text="\n".join(_lines(tokens)).strip("\n"),
        words=" ".join(" ".join(inline_text(token, with_links=False) for token in inline).split()),
        blocks=tuple(_block(token) for token in inline if not token.meta.get("is_heading")),
    )


def _sanitised(html: str) -> str:
    """The renderer escapes and knows no other tags; this holds even if it should ever fail."""
    clean = nh3.clean(
        html,
        tags=TAGS,
        attributes={"a": {"href"}, "ol": {"start"}},
        url_schemes={"http", "https"},
        url_relative="deny",
        link_rel=None,
    )
    return clean.replace("&nbsp;", "\u00a0").strip()  # the only name it writes that XML does not know


def plain(line: str) -> str:
    """The words of one line alone: no markup, no footnote marks; "4. Budget" stays as it is, no list."""
    text = " ".join(bounded(line).split())[:MAX_LINE]
    (token,) = _simple(_PARSER.parseInline(text))
    return harmless(" ".join(inline_text(token, with_links=False).split()), "").strip()


def harmless(text: str, form: str) -> str:
    """Ready output with its marks in ``form``, and nothing that a template or footnote could be made of."""
    return defused(without_remains(replace_marks(text, form)))


def escaped(text: str) -> str:
    """Plain text for HTML, its marks left in."""
    return free_standing(escape(text, quote=False))


# --- tokens ------------------------------------------------------------------------------------------


def _block(token: Token) -> Block:
    words = " ".join(inline_text(token, with_links=False).split())
    plain_label = _PLAIN_LABEL.match(words)
    label = _label(token) or (plain_label[0] if plain_label else "")
    if words.startswith(label):
        words = words[len(label) :].lstrip(" :–—-")
    return Block(label.rstrip(" :–—-"), words)


def _label(token: Token) -> str:
    """The text in bold that opens a block, if it is a label: short, and with a colon or dash behind it."""
    children = [c for c in token.children or () if c.type != "text" or c.content]
    if len(children) < 3 or children[0].type != "strong_open" or children[2].type != "strong_close":
        return ""
    label = " ".join(children[1].content.split())
    after = children[3].content.lstrip() if len(children) > 3 else ""
    is_label = len(label) <= 80 and (label.endswith(":") or after.startswith((":", "–", "—", "-")))
    return label if is_label else ""


def inline_text(token: Token, *, with_links: bool) -> str:
    """The words of an inline token; with links as "words (address)" where the words are not the address."""
    parts: list[str] = []
    opened: list[tuple[int, str]] = []
    for child in token.children or ():
        if child.type in ("text", "code_inline", "image"):
            parts.append(child.content)
        elif child.type in ("softbreak", "hardbreak"):
            parts.append(" ")
        elif child.type == "link_open":
            opened.append((len(parts), str(child.attrGet("href") or "")))
        elif child.type == "link_close" and opened:
            start, address = opened.pop()
            if with_links and address and "".join(parts[start:]).strip() != address:
                parts.append(f" ({address})")
    return "".join(parts)


def _simple(tokens: list[Token]) -> Iterator[Token]:
    """The tokens of a document brought down to the few kinds that letters know."""
    in_heading = False
    before, hidden_level = "", -1
    for token in _without_tables(tokens):
        opens_item = before == "list_item_open"
        before = token.type
        if token.type in ("heading_open", "heading_close"):
            in_heading = token.type == "heading_open"
            token = Token(token.type.replace("heading", "paragraph"), "p", token.nesting, block=True)
        elif token.type in ("fence", "code_block"):
            yield from _paragraph(token.content)
            continue
        elif token.type == "hr":
            continue
        elif token.type == "paragraph_open" and opens_item:
            token.hidden = True  # an item's first paragraph stands in the item itself, in loose lists too
            hidden_level = token.level
        elif token.type == "paragraph_close" and token.level == hidden_level:
            token.hidden = True
            hidden_level = -1
        elif token.type == "inline":
            token.children = list(_simple_children(token.children or []))
            if in_heading:
                token.meta = {"is_heading": True}
                token.children = [
                    Token("strong_open", "strong", 1),
                    *token.children,
                    Token("strong_close", "strong", -1),
                ]
        yield token


def _simple_children(children: list[Token]) -> Iterator[Token]:
    kept: list[bool] = []
    for child in children:
        if child.type == "link_open":
            kept.append(is_web_address(str(child.attrGet("href") or "")))
            child.attrs = {"href": child.attrs["href"]} if kept[-1] else {}
        if child.type in ("link_open", "link_close"):
            is_kept = kept[-1] if child.type == "link_open" else kept.pop()
            if is_kept:
                yield child
        elif child.type == "image":
            yield _words(inline_text(child, with_links=False) or child.content)
        elif child.type in ("text", "code_inline"):
            yield _words(child.content)
        elif child.type == "hardbreak":
            yield Token("softbreak", "br", 0)
        else:
            yield child


def _words(text: str) -> Token:
    """A text token cleaned once more: entities (``&#8238;``) have only now become characters."""
    return Token("text", "", 0, content=free_standing(without_references(tidy(text))))


def _paragraph(text: str) -> Iterator[Token]:
    words = _words(" ".join(text.split()))
    yield Token("paragraph_open", "p", 1, block=True)
    yield Token("inline", "", 0, content=words.content, children=[words], block=True)
    yield Token("paragraph_close", "p", -1, block=True)


def _without_tables(tokens: list[Token]) -> Iterator[Token]:
    """Tables as lists, a row an item, cells joined by commas: a letter on a phone has no room for columns."""
    row: list[Token] = []
    in_table = False
    for token in tokens:
        kind = token.type
        if kind in ("table_open", "table_close"):
            in_table = kind == "table_open"
            yield Token(f"bullet_list_{kind[6:]}", "ul", token.nesting, block=True)
        elif not in_table:
            yield token
        elif kind == "tr_close":
            yield from _item(row)
            row = []
        elif kind == "inline" and token.content:
            row.append(token)


def _item(cells: list[Token]) -> Iterator[Token]:
    children: list[Token] = []
    for cell in cells:
        children += [Token("text", "", 0, content=", ")] if children else []
        children += cell.children or []
    yield Token("list_item_open", "li", 1, block=True)
    yield Token("inline", "", 0, content=", ".join(c.content for c in cells), children=children, block=True)
    yield Token("list_item_close", "li", -1, block=True)


# --- plain text -----------------------------------------------------------------------------------------


def _lines(tokens: Iterable[Token]) -> Iterator[str]:
    """Lines of text: blocks apart by an empty line, list items together, nested ones indented."""
    bullets: list[int | None] = []  # next number of each open list, None for plain bullets
    pending = ""
    for token in tokens:
        if token.type in ("bullet_list_open", "ordered_list_open"):
            if not bullets:
                yield ""
            bullets.append(int(token.attrGet("start") or 1) if token.type[0] == "o" else None)
        elif token.type in ("bullet_list_close", "ordered_list_close"):
            bullets.pop()
        elif token.type == "list_item_open":
            pending = _bullet(bullets)
        elif token.type == "inline":
            words = " ".join(inline_text(token, with_links=True).split())
            if bullets:
                yield f"{'  ' * (len(bullets) - 1)}{pending or '  '}{words}"
                pending = ""
            else:
                yield from ("", words)


def _bullet(bullets: list[int | None]) -> str:
    if not bullets or bullets[-1] is None:
        return "- "
    number = bullets[-1]
    bullets[-1] = number + 1
    return f"{number}. "

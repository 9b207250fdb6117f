"""MJML to HTML with the Jinja tags carried through unharmed: shield, convert, inline, unshield.

premailer percent-encodes ``{{ … }}`` in ``href`` (``preserve_handlebar_syntax`` does not help with lxml
6), strips
``!important`` from kept styles and drops the doctype; MJML passes unknown ``mj-`` tags through in silence.
So each Jinja tag travels as a plain word, kept styles are marked as none of premailer's business, and the
rest is checked here. Nothing is ever fetched: no network, no file, no web font.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from digest.errors import TemplateError

_JINJA = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)
_SHIELD = re.compile(r"zqtag(\d+)zq")
_INLINE_STYLE = re.compile(r'<mj-style\s+inline="inline"\s*>(.*?)</mj-style>', re.DOTALL)
_STYLE = re.compile(r"<style(?![^>]*data-premailer)")
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_MJ_TAG = re.compile(r"<(/?)(mj(?:ml|-[\w-]*))\b([^>]*?)(/?)>", re.DOTALL)
_ELEMENT = re.compile(r"<([A-Za-z][\w-]*)(?:\"[^\"]*\"|'[^']*'|[^<>\"'])*>")
_CLASS = re.compile(r"\bclass=(\"[^\"]*\"|'[^']*')")
_QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'")
_BETWEEN_TAGS = re.compile(r">\s*\n\s*<")
_SPACE = re.compile(r"[ \t]*\n\s*")
_STYLE_VALUE = re.compile(r" style=(\"[^\"]*\"|'[^']*')")
_EXTERNAL = re.compile(r"@import|<link\b|<script\b|<iframe\b", re.IGNORECASE)
DOCTYPE = "<!doctype html>"
# https://documentation.mjml.io/ (the components that mjml-python 1.4 renders)
_KNOWN = re.compile(
    r"mjml|mj-(head|body|attributes|all|class|breakpoint|font|preview|style|title|raw|section|column|group|wrapper"
    r"|text|button|image|divider|spacer|table|social|social-element|navbar|navbar-link|hero|carousel|carousel-image"
    r"|accordion|accordion-element|accordion-title|accordion-text|include)"
)


@dataclass(frozen=True, slots=True)
class Shielded:
    """A text whose Jinja tags stand as plain words, and the tags by number."""

    text: str
    tags: tuple[str, ...]


def shield(source: str) -> Shielded:
    """Every Jinja tag replaced by a word that neither MJML nor premailer touches."""
    tags: list[str] = []

    def word(found: re.Match[str]) -> str:
        tags.append(found[0])
        return f"zqtag{len(tags) - 1}zq"

    return Shielded(_JINJA.sub(word, source), tuple(tags))


def unshield(text: str, tags: tuple[str, ...]) -> str:
    """The Jinja tags back in their places."""
    return _SHIELD.sub(lambda found: tags[int(found[1])], text)


def check_mjml(source: str, *, file: str) -> None:
    """Refuse what MJML would pass over in silence, with file and line.

    Raises: TemplateError for an unknown or unbalanced ``mj-`` tag, and for anything fetched from elsewhere.
    """
    bare = _COMMENT.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), source)
    if external := _EXTERNAL.search(bare):
        raise TemplateError(
            f"{file}, line {_line(bare, external.start())}: {external[0]} fetches from elsewhere; "
            "letters carry all they need, take it out"
        )
    _check_places(bare, file=file)
    open_tags: list[tuple[str, int]] = []
    for tag in _MJ_TAG.finditer(bare):
        line = _line(bare, tag.start())
        if not _KNOWN.fullmatch(tag[2]):
            raise TemplateError(f"{file}, line {line}: <{tag[2]}> is no MJML component; mend its name")
        if tag[1]:
            if not open_tags or open_tags[-1][0] != tag[2]:
                inner = f"<{open_tags[-1][0]}> of line {open_tags[-1][1]}" if open_tags else "nothing"
                raise TemplateError(f"{file}, line {line}: </{tag[2]}> closes {inner}; balance the tags")
            open_tags.pop()
        elif not tag[4]:
            open_tags.append((tag[2], line))
    if open_tags:
        raise TemplateError(f"{file}, line {open_tags[-1][1]}: <{open_tags[-1][0]}> is never closed")


def _check_places(source: str, *, file: str) -> None:
    """MJML reads a Jinja tag in text and in a quoted value, nowhere else inside an element's own tag."""
    shielded = _JINJA.sub(lambda found: "zqtag0zq" + "\n" * found[0].count("\n"), source)
    for tag in _ELEMENT.finditer(shielded):
        if _SHIELD.search(_QUOTED.sub("", tag[0])):
            raise TemplateError(
                f"{file}, line {_line(shielded, tag.start())}: a Jinja tag stands inside <{tag[1]} …> "
                f"outside the "
                'quotes; write attribute="{{ value }}" instead'
            )
        if _SHIELD.search("".join(_CLASS.findall(tag[0]))):
            raise TemplateError(
                f"{file}, line {_line(shielded, tag.start())}: the class of <{tag[1]} …> is a Jinja tag, so "
                f"no style "
                "would reach it; write the element twice, each with its own class"
            )


def to_html(mjml: str) -> str:
    """A whole MJML document (with Jinja tags) as HTML with inlined styles (and the same Jinja tags).

    Raises: TemplateError when MJML or the inliner refuses the document.
    """
    shielded = shield(mjml)
    css = "\n".join(_INLINE_STYLE.findall(shielded.text))
    html = _mjml_to_html(_INLINE_STYLE.sub("", shielded.text))
    # What MJML wrote for clients that read <style> stays as it is; only our own rules are inlined.
    html = _inlined(_STYLE.sub('<style data-premailer="ignore"', html), css)
    html = _STYLE_VALUE.sub(_tightened, _SPACE.sub("\n", _BETWEEN_TAGS.sub("><", html)))
    if not html.lower().startswith("<!doctype"):
        html = DOCTYPE + html
    return unshield(html, shielded.tags)


def _mjml_to_html(source: str) -> str:
    from mjml import mjml2html  # here: the wheel's Rust part need not load for `digest --help`

    try:
        return mjml2html(source, fonts={})
    except ValueError as bad:
        raise TemplateError(f"MJML cannot read the letter: {bad}; look for an unclosed tag or quote") from bad


def _inlined(html: str, css: str) -> str:
    from premailer import Premailer  # here: it loads cssutils and requests, a fifth of a second

    inliner = Premailer(
        html,
        css_text=css,
        keep_style_tags=False,
        disable_leftover_css=True,
        strip_important=False,
        remove_classes=False,
        disable_link_rewrites=True,
        # MJML writes what Outlook needs in attributes; saying our own styles twice would only cost size.
        disable_basic_attributes=["align", "bgcolor", "height", "valign", "width"],
        disable_validation=True,
        cache_css_parsing=False,
        allow_network=False,
        allow_loading_external_files=False,
        cssutils_logging_level=50,
    )
    return str(inliner.transform(pretty_print=False))


def _tightened(style: re.Match[str]) -> str:
    """An inline style without the spaces that CSS does not need: a letter's size is scarce."""
    return style[0].replace("; ", ";").replace(": ", ":")


def _line(source: str, position: int) -> int:
    return source.count("\n", 0, position) + 1

"""The letter's skeleton: all templates compiled once per version, for every language, held immutable.

MJML -> shield Jinja tags -> premailer -> unshield -> Jinja. The parts travel through MJML and premailer in
one document with the shell, so that one head styles them all, and are cut apart afterwards: each part is a
template of its own, whose fragments are rendered once and shared by all letters.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from types import CodeType, MappingProxyType

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import escape

from digest.errors import TemplateError
from digest.model import Publication, name_key
from digest.render.checks import check_source
from digest.render.fragment import Fragment
from digest.render.memo import Memo
from digest.render.plain import underlined, wrapped
from digest.render.printed import Printed, Shell
from digest.render.samples import SHELL, THEME, sample_contexts, template_names
from digest.render.shield import check_mjml, to_html
from digest.render.tags import neutralise, size_after
from digest.render.theme import theme_of, themed
from digest.render.words import DEFAULT_LANGUAGE, Language, languages_from

# Characters of rendered fragments kept in memory: a run of 1 M letters has 200 MB in all (DESIGN 8).
FRAGMENTS_KEPT = 12_000_000
SHELLS_KEPT, FORMS_KEPT = 2_000_000, 6_000_000  # and of what stands around them, and of whole letters
MARGIN_BYTES = 2_500  # a real shell's sentences against the sample's, and section headings
_INCLUDE = re.compile(r'<mj-include\s+path="([^"]+)"\s*/?>')
_BODY = "<mj-raw>{{ body }}</mj-raw>"
_FIXED = re.compile(r"\{\{ _\(\"([^\"]*)\"\) \}\}")
_PROSE_TAGS = ("p", "ul", "ol", "li", "h4", "a", "blockquote", "sup")
_PROSE = "<div class='prose'>" + "".join(f"<{t}>x</{t}>" for t in _PROSE_TAGS) + "</div>"
_CONTENT_TAG = re.compile(r"<(/?)(p|ul|ol|li|h[1-6]|a|blockquote|sup)(?=[\s>])")


@dataclass(frozen=True, slots=True)
class Part:
    """One template in one language: its HTML and its plain-text twin."""

    html: Template
    text: Template


@dataclass(frozen=True, slots=True)
class Tongue:
    """All templates in one language."""

    language: Language
    parts: Mapping[str, Part]


@dataclass(frozen=True)
class Skeleton:
    """Compiled templates, ready for any number of letters. Equal inputs give equal pages.

    ``styles`` holds, for each tag that a summary's HTML may use, the attributes that dress it;
    ``shell_bytes`` is what the largest shell takes of a letter's size, its tags replaced. ``mark`` is its own
    alone: what an entry keeps of it (``Entry.made``) is kept under it.
    """

    publication: Publication
    base_url: str
    tongues: Mapping[str, Tongue]
    styles: Mapping[str, str]
    shell_bytes: int
    fragments: Memo[Fragment] = field(default_factory=lambda: Memo(FRAGMENTS_KEPT), repr=False, compare=False)
    mark: object = field(default_factory=object, repr=False, compare=False)
    shells: Memo[Shell] = field(default_factory=lambda: Memo(SHELLS_KEPT), repr=False, compare=False)
    forms: Memo[Printed] = field(default_factory=lambda: Memo(FORMS_KEPT), repr=False, compare=False)

    def tongue(self, language: str) -> Tongue:
        """The templates in the language, or in English where no catalogue has it."""
        return self.tongues.get(language) or self.tongues[DEFAULT_LANGUAGE]

    @property
    def imprint(self) -> str:
        """Name and postal address of the publisher, the name said once."""
        name, address = self.publication.name, self.publication.postal_address
        if not address or name_key(address).startswith(name_key(name)):
            return address or name
        return f"{name}, {address}"

    def dressed(self, html: str) -> str:
        """A summary's HTML with the letter's inline styles; its headings stand below the item's own."""

        def dress(found: re.Match[str]) -> str:
            tag = "h4" if found[2][0] == "h" else found[2]
            return f"</{tag}" if found[1] else f"<{tag}{self.styles.get(tag, '')}"

        return _CONTENT_TAG.sub(dress, html)


def compile_skeleton(sources: Mapping[str, str], publication: Publication) -> Skeleton:
    """Compile template texts (path below ``templates/email`` -> text) for one publication.

    ``sources`` holds every ``*.mjml``, ``*.txt`` and ``locale/*.po``, an operator's own files laid over ours.
    Pure and repeatable; takes about half a second.

    Raises: TemplateError for the first fault found, naming file, line, variable and mend.
    """
    theme = theme_of(publication.colours)
    known = _complete(sources)
    texts = {file: themed(sources[file], file=file, theme=theme) for file in known}
    publication = _safe(publication)
    languages = languages_from(sources)
    _check(texts, publication, languages[DEFAULT_LANGUAGE])
    documents, styles = _convert(texts)
    tongues = {code: _tongue(language, documents, texts) for code, language in languages.items()}
    _try_all(tongues, publication)
    return Skeleton(
        publication=publication,
        base_url=publication.base_url.rstrip("/"),
        tongues=MappingProxyType(tongues),
        styles=MappingProxyType(styles),
        shell_bytes=max(_shell_bytes(tongue, publication) for tongue in tongues.values()),
    )


def _complete(sources: Mapping[str, str]) -> tuple[str, ...]:
    """The files a letter is made of, all there and none unknown."""
    files = (THEME, *(f"{name}{ending}" for name in template_names() for ending in (".mjml", ".txt")))
    for file in files:
        if file not in sources:
            raise TemplateError(
                f"{file} is missing: put it back, or take yours out so that the packaged one is used"
            )
    for file in sources:
        if file not in files and not file.startswith("locale/"):
            near = get_close_matches(file, files, n=1, cutoff=0.0)[0]
            raise TemplateError(
                f"{file}: no template has that name, it would never be used; the nearest is {near}"
            )
    return files


def _safe(publication: Publication) -> Publication:
    """The publication's words with no tag in them."""
    return replace(
        publication,
        name=neutralise(publication.name),
        postal_address=neutralise(publication.postal_address),
        support_line=neutralise(publication.support_line),
        contact=neutralise(publication.contact),
        logo_url=neutralise(publication.logo_url) if publication.logo_url else None,
    )


def _check(texts: Mapping[str, str], publication: Publication, english: Language) -> None:
    html, plain = _environment(english, is_html=True), _environment(english, is_html=False)
    for file, text in texts.items():
        if file.endswith(".mjml"):
            check_mjml(text, file=file)
        if file == THEME:
            continue
        name, _, ending = file.rpartition(".")
        check_source(
            text,
            file=file,
            environment=html if ending == "mjml" else plain,
            contexts=sample_contexts(name, publication, english.code),
        )


def _convert(texts: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """All MJML through one document: name -> HTML with Jinja tags, and the dress of content tags."""
    names = [name for name in template_names() if name != SHELL]
    parts = [
        f"<mj-raw>zqbegin{n}zq</mj-raw>{_included(texts, f'{name}.mjml')}<mj-raw>zqend{n}zq</mj-raw>"
        for n, name in enumerate(names)
    ]
    shell = _included(texts, f"{SHELL}.mjml")
    if shell.count(_BODY) != 1:
        raise TemplateError(
            f"{SHELL}.mjml: there must be one {_BODY}, in the column that the letter's rows go to"
        )
    # The parts are rows of the column in which the letter's body stands, so they are converted there.
    rows = "".join((_BODY, *parts, f"<mj-raw>zqprosezq<tr><td>{_PROSE}</td></tr>zqprosezq</mj-raw>"))
    html = to_html(shell.replace(_BODY, rows))
    documents = {name: _between(html, f"zqbegin{n}zq", f"zqend{n}zq") for n, name in enumerate(names)}
    _, prose, end = html.split("zqprosezq")
    documents[SHELL] = html[: html.index("zqbegin0zq")] + end
    return documents, _styles(prose)


def _included(texts: Mapping[str, str], file: str) -> str:
    """The template with its ``mj-include`` parts laid in.

    Raises: TemplateError for a path that is no template's.
    """

    def include(found: re.Match[str]) -> str:
        if found[1] not in texts or found[1] == file:
            raise TemplateError(
                f"{file}: <mj-include path={found[1]!r}> names no template; letters include {THEME}"
            )
        return texts[found[1]]

    return _INCLUDE.sub(include, texts[file])


def _between(text: str, begin: str, end: str) -> str:
    return text[text.index(begin) + len(begin) : text.index(end)]


def _styles(prose: str) -> dict[str, str]:
    """Tag -> the attributes that premailer gave it, and a class for the dark scheme on links."""
    styles = {}
    for tag in _PROSE_TAGS:
        found = re.search(rf"<{tag}( [^>]*)?>", prose)
        styles[tag] = (found[1] or "") if found else ""
    styles["a"] += ' class="prose-link"'
    return styles


def _environment(language: Language, *, is_html: bool) -> Environment:
    environment = Environment(
        undefined=StrictUndefined,
        autoescape=is_html,  # noqa: S701 - the other half is plain text
        extensions=["jinja2.ext.i18n"],
        trim_blocks=not is_html,
        lstrip_blocks=not is_html,
        keep_trailing_newline=True,
    )
    environment.install_gettext_translations(language.translations, newstyle=True)  # type: ignore[attr-defined]
    environment.filters |= {"wrapped": wrapped, "underlined": underlined}
    return environment


def _tongue(language: Language, documents: Mapping[str, str], texts: Mapping[str, str]) -> Tongue:
    html, plain = _environment(language, is_html=True), _environment(language, is_html=False)
    parts = {
        name: Part(
            _compiled(html, _with_fixed_words(documents[name], language, is_html=True), f"{name}.mjml"),
            _compiled(plain, _with_fixed_words(texts[f"{name}.txt"], language, is_html=False), f"{name}.txt"),
        )
        for name in template_names()
    }
    return Tongue(language, MappingProxyType(parts))


def _with_fixed_words(source: str, language: Language, *, is_html: bool) -> str:
    """The template with its fixed words said already: looking them up would cost half a letter's time."""

    def said(found: re.Match[str]) -> str:
        words = language(found[1]) % {}
        if "{" in words:  # a translation must not become a template
            return "{{ " + repr(words) + " }}"
        return str(escape(words)) if is_html else words

    return _FIXED.sub(said, source)


def _compiled(environment: Environment, source: str, file: str) -> Template:
    code: CodeType = environment.compile(source, name=file, filename=file)
    return environment.template_class.from_code(environment, code, environment.make_globals(None))


def _shell_bytes(tongue: Tongue, publication: Publication) -> int:
    shell = tongue.parts[SHELL]
    context = sample_contexts(SHELL, publication, tongue.language.code)[0]
    return max(size_after(shell.html.render(context)), size_after(shell.text.render(context))) + MARGIN_BYTES


def _try_all(tongues: Mapping[str, Tongue], publication: Publication) -> None:
    """Render everything once in every language: a translation's wrong placeholder is found here, not in a
    letter.

    Raises: TemplateError naming the template and the language.
    """
    for code, tongue in tongues.items():
        for name, part in tongue.parts.items():
            for context in sample_contexts(name, publication, code):
                try:
                    part.html.render(context)
                    part.text.render(context)
                except Exception as bad:
                    raise TemplateError(
                        f"{name} in {code!r}: {type(bad).__name__}: {bad}; mend locale/{code}.po or the "
                        f"template"
                    ) from bad

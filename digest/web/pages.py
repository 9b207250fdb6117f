"""The web pages: Jinja templates of templates/web in each language, filled with values.

An operator's own folder is laid over ours file by file, as for letters. A template's language is an object
`_` (see `render.words.Language`): ``{% trans %}`` for sentences, ``lang.day(...)`` for dates.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from jinja2 import (
    BaseLoader,
    BytecodeCache,
    ChoiceLoader,
    Environment,
    FileSystemLoader,
    StrictUndefined,
    TemplateSyntaxError,
)
from jinja2.bccache import Bucket
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from digest.errors import TemplateError
from digest.model import Publication
from digest.render.theme import theme_of, themed
from digest.render.words import DEFAULT_LANGUAGE, Language, languages_from, local
from digest.resources import resource_dir

LANGUAGE_COOKIE = "language"
_EMAIL_CATALOGUE = "email/locale/{code}.po"


class _Compiled(BytecodeCache):
    """Compiled templates of this process: the languages share them, they differ in their catalogues only."""

    def __init__(self) -> None:
        self._code: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        """Jinja checks that it is of this very text."""
        if (code := self._code.get(bucket.key)) is not None:
            bucket.bytecode_from_string(code)

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep it for the next language, or the next application of this process."""
        self._code[bucket.key] = bucket.bytecode_to_string()


_COMPILED = _Compiled()


class Pages:
    """All templates, compiled for each language; immutable once made."""

    def __init__(
        self,
        publication: Publication,
        *,
        loader: BaseLoader,
        languages: Mapping[str, Language],
        static: Mapping[str, str],
        root: str,
    ) -> None:
        self.languages = dict(languages)
        self.static = dict(static)
        self._root = root
        self._publication = publication
        self._environments = {code: self._environment(loader, of) for code, of in languages.items()}

    def text(self, name: str, language: str = DEFAULT_LANGUAGE, **facts: Any) -> str:
        """A template filled in. Raises: jinja2.UndefinedError for a fact that it lacks."""
        return self._environments[language].get_template(name).render(**facts)

    def answer(
        self, request: Request, name: str, *, status: int = 200, language: str | None = None, **facts: Any
    ) -> HTMLResponse:
        """A page, in ``language`` (a known reader's) or the one that the browser asks for."""
        code = self.language_of(request, language)
        here = f"{self._root}{request.scope['path']}"
        html = self.text(name, code, here=here, query=dict(request.query_params), **facts)
        answer = HTMLResponse(html, status_code=status)
        answer.headers["Content-Language"] = code
        answer.headers["Vary"] = "Accept-Language, Cookie"
        if (asked := request.query_params.get("lang")) in self.languages:
            self._remember(answer, request, str(asked))
        return answer

    def language_of(self, request: Request, known: str | None = None) -> str:
        """``?lang=``, else what was chosen before, else the reader's own, else what the browser prefers."""
        asked = (request.query_params.get("lang"), request.cookies.get(LANGUAGE_COOKIE), known)
        for code in asked:
            if code in self.languages:
                return str(code)
        for part in request.headers.get("accept-language", "").split(","):
            code = part.split(";")[0].strip().split("-")[0].lower()
            if code in self.languages:
                return code
        return DEFAULT_LANGUAGE

    def _remember(self, answer: Response, request: Request, code: str) -> None:
        answer.set_cookie(
            LANGUAGE_COOKIE,
            code,
            max_age=31_536_000,
            path=self._root or "/",
            httponly=True,
            samesite="lax",
            secure=request.url.scheme == "https",
        )

    @cached_property
    def versions(self) -> dict[str, str]:
        """Each static file's fingerprint: its address changes with its content."""
        return {name: hashlib.sha256(text.encode()).hexdigest()[:12] for name, text in self.static.items()}

    def _environment(self, loader: BaseLoader, language: Language) -> Environment:
        made = Environment(
            loader=loader,
            autoescape=True,
            undefined=StrictUndefined,
            bytecode_cache=_COMPILED,
            extensions=["jinja2.ext.i18n", "jinja2.ext.do"],
            trim_blocks=True,
            lstrip_blocks=True,
        )
        made.install_gettext_translations(language.translations, newstyle=True)  # type: ignore[attr-defined]
        made.globals |= {
            "lang": language,
            "languages": self.languages,
            "publication": self._publication,
            "root": self._root,
            "asset": self._asset,
        }
        made.filters |= {"local": local}
        return made

    def _asset(self, name: str) -> str:
        return f"{self._root}/static/{name}?v={self.versions[name]}"


def load_pages(publication: Publication, *, own: Path | None = None, root: str = "") -> Pages:
    """The packaged templates under an operator's own (``own`` is a folder like ``templates``).

    Raises: TemplateError naming file and line for a template or catalogue that cannot be used.
    """
    shipped = resource_dir("templates")
    folders = [shipped / "web"]
    if own is not None and (own / "web").is_dir():
        folders.insert(0, own / "web")
    loader = ChoiceLoader([FileSystemLoader(folder) for folder in folders])
    catalogues = _catalogues(shipped, folders)
    static = {
        path.name: path.read_text(encoding="utf-8")
        for folder in reversed(folders)
        for path in sorted((folder / "static").glob("*.*"))
    }
    theme = theme_of(publication.colours)
    static = {
        name: themed(text, file=f"static/{name}", theme=theme) if name.endswith((".css", ".svg")) else text
        for name, text in static.items()
    }
    pages = Pages(publication, loader=loader, languages=catalogues, static=static, root=root)
    _check(pages)
    return pages


def _catalogues(shipped: Path, folders: list[Path]) -> dict[str, Language]:
    """The letters' languages, and over them what locale/<code>/*.po of the pages says."""
    email = {
        f"locale/{path.name}": path.read_text(encoding="utf-8")
        for path in sorted((shipped / "email" / "locale").glob("*.po"))
    }
    found = languages_from(email)
    for folder in reversed(folders):
        for path in sorted((folder / "locale").glob("*/*.po")):
            code = path.parent.name
            one = languages_from({f"locale/{code}.po": path.read_text(encoding="utf-8-sig")})[code]
            if code in found:
                one.translations.add_fallback(found[code].translations)
            found[code] = one
    return found


def _check(pages: Pages) -> None:
    """Every template compiles. Raises: TemplateError naming file and line."""
    environment = pages._environments[DEFAULT_LANGUAGE]
    for name in environment.list_templates(extensions=["html", "xml", "txt"]):
        try:
            environment.get_template(name)
        except TemplateSyntaxError as error:
            raise TemplateError(f"web/{error.name}, line {error.lineno}: {error.message}") from error

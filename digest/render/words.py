"""One language of the letters: its fixed text, plurals, dates and times.

Catalogues are gettext ``.po`` texts handed in as data; the dates come from Babel (Unicode CLDR).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from functools import lru_cache
from gettext import NullTranslations
from io import BytesIO
from zoneinfo import ZoneInfo

from babel.core import Locale, UnknownLocaleError
from babel.dates import format_date, format_datetime
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import PoFileError, read_po
from babel.support import Translations

from digest.errors import TemplateError

DEFAULT_LANGUAGE = "en"
# English dates as read in the United Kingdom and Ireland (3 September, not September 3).
_PLACEHOLDER = re.compile(r"%(?:\(\w+\)[sd]|.?)")
_LOCALES = {"en": "en_GB"}


class Language:
    """Fixed text, dates and times of one language; immutable once made."""

    def __init__(self, code: str, translations: NullTranslations) -> None:
        self.code = code
        self.translations = translations
        self._locale = _LOCALES.get(code, code)

    def __call__(self, text: str, **facts: object) -> str:
        """The text in this language, with ``%(name)s`` filled in."""
        translated = self.translations.gettext(text)
        return translated % facts if facts else translated

    def count(self, one: str, many: str, n: int, **facts: object) -> str:
        """The right plural for ``n``; ``%(n)d`` is filled in."""
        return self.translations.ngettext(one, many, n) % {"n": n, **facts}

    def day(self, on: date, *, with_year: bool = True) -> str:
        """ "Wednesday 3 September 2025", or without the year."""
        return _date(on, "EEEE d MMMM y" if with_year else "EEEE d MMMM", self._locale)

    def short_day(self, on: date, *, with_year: bool = False) -> str:
        """ "3 September", or with the year."""
        return _date(on, "d MMMM y" if with_year else "d MMMM", self._locale)

    def tile(self, on: date) -> tuple[str, str, str]:
        """Weekday, day and month as short as this language writes them: ("Wed", "3", "Sept")."""
        return _date(on, "EEE", self._locale), str(on.day), _date(on, "MMM", self._locale)

    def time(self, at: datetime) -> str:
        """ "6pm", "6:30pm": the wall clock of the datetime as given."""
        pattern = "ha" if at.minute == 0 else "h:mma"
        return (
            format_datetime(at, pattern, locale=self._locale).lower().replace(" ", "").replace("\u202f", "")
        )

    def joined(self, names: list[str]) -> str:
        """ "a", "a and b", "a, b and c"."""
        if len(names) < 2:
            return "".join(names)
        return self("%(first)s and %(last)s", first=", ".join(names[:-1]), last=names[-1])

    @property
    def name(self) -> str:
        """This language's own name for itself."""
        return language_name(self.code, self.code)


def plural(one: str, many: str) -> tuple[str, str]:
    """Both forms of a counted text, as they are: marks them for the catalogues."""
    return one, many


def message(text: str) -> str:
    """The text as it is: marks it for the catalogues."""
    return text


def language_name(code: str, within: str) -> str:
    """The language ``code`` as it is called in the language ``within``; the code where unknown."""
    try:
        name = Locale.parse(code, sep="-").get_language_name(_LOCALES.get(within, within))
    except (UnknownLocaleError, ValueError):
        return code
    return name or code


def languages_from(sources: Mapping[str, str]) -> dict[str, Language]:
    """English, and one language for each ``locale/<code>.po`` among the sources.

    Raises: TemplateError for a catalogue that cannot be read, naming file and line.
    """
    languages = {DEFAULT_LANGUAGE: Language(DEFAULT_LANGUAGE, NullTranslations())}
    for name, text in sorted(sources.items()):
        if name.startswith("locale/") and name.endswith(".po"):
            code = name.removeprefix("locale/").removesuffix(".po")
            languages[code] = Language(code, _catalogue(name, code, text))
    return languages


def local(at: datetime, timezone: str) -> datetime:
    """The instant on the wall clock of the zone."""
    return at.astimezone(_zone(timezone))


def _catalogue(name: str, code: str, text: str) -> Translations:
    try:
        catalogue = read_po(BytesIO(text.encode("utf-8")), locale=code, abort_invalid=True)
    except PoFileError as bad:
        raise TemplateError(f"{name}, line {bad.lineno}: {bad}; mend the catalogue") from bad
    except (UnknownLocaleError, ValueError) as bad:
        raise TemplateError(
            f"{name}: {code!r} is no language that can be used ({bad}); rename the file"
        ) from bad
    _check_placeholders(name, catalogue)
    compiled = BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return Translations(compiled)


def _check_placeholders(name: str, catalogue: Catalog) -> None:
    """Each translation fills in what its original does; one that does not would break a letter.

    Raises: TemplateError naming file and line.
    """
    for entry in catalogue:
        originals = _forms(entry.id)
        known = {found for original in originals for found in _PLACEHOLDER.findall(original)}
        for translation in _forms(entry.string) if entry.id else ():
            if strange := set(_PLACEHOLDER.findall(translation)) - known:
                raise TemplateError(
                    f"{name}, line {entry.lineno}: {min(strange)} is not in {originals[0]!r}; "
                    "use the placeholders of the original, and write a percent sign as %%"
                )


def _forms(text: str | Sequence[str] | None) -> tuple[str, ...]:
    """A text's one form, or all its counted ones."""
    return (text,) if isinstance(text, str) else tuple(text or ())


@lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


@lru_cache(maxsize=4096)
def _date(on: date, pattern: str, locale: str) -> str:
    return format_date(on, pattern, locale=locale)

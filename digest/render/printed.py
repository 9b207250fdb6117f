"""How a letter is put together: pieces into a shell, which gives a form that editions of equal news share."""

from __future__ import annotations

from dataclasses import dataclass, field

from digest.model import Form, Page
from digest.render.fragment import GAP, OWN_GAP, Fragment


@dataclass(slots=True)
class Pieces:
    """The growing letter in both forms, and how large it is with its tags replaced."""

    html: list[str] = field(default_factory=list)
    text: list[str] = field(default_factory=list)
    html_bytes: int = 0
    text_bytes: int = 0

    def add(self, fragment: Fragment, reason: Fragment | None = None) -> None:
        """Lay the fragment on, the reader's own reason in its gap."""
        self.html_bytes += fragment.html_bytes
        self.text_bytes += fragment.text_bytes
        if reason is None:
            self.html.append(fragment.html)
            self.text.append(fragment.text)
            return
        self.html += (fragment.html, reason.html, fragment.html_tail)
        self.text += (fragment.text, reason.text, fragment.text_tail)
        self.html_bytes += reason.html_bytes
        self.text_bytes += reason.text_bytes


@dataclass(frozen=True, slots=True)
class Shell:
    """What stands around a letter's body, with a gap for it and one for the letter's own words.

    The sizes are without them, tags replaced.
    """

    subject: str
    preheader: str
    language: str
    html: str | None
    text: str
    html_bytes: int
    text_bytes: int

    def around(self, pieces: Pieces) -> Printed:
        """The letter with these pieces as its body."""
        html = None if self.html is None else self.html.replace(GAP, "".join(pieces.html), 1)
        text = self.text.replace(GAP, "".join(pieces.text).strip("\n"), 1)
        return Printed(
            subject=self.subject,
            preheader=self.preheader,
            language=self.language,
            form=Form(None if html is None else tuple(html.split(OWN_GAP)), tuple(text.split(OWN_GAP))),
            html_bytes=0 if html is None else self.html_bytes + pieces.html_bytes,
            text_bytes=self.text_bytes + pieces.text_bytes,
        )


@dataclass(frozen=True, slots=True)
class Printed:
    """A page but for its own words, and how large its parts are without them, tags replaced."""

    subject: str
    preheader: str
    language: str
    form: Form
    html_bytes: int
    text_bytes: int

    def size_with(self, own: Fragment) -> int:
        """Bytes of the larger part of the page with these words."""
        html_gaps, text_gaps = len(self.form.html or ("",)) - 1, len(self.form.text) - 1
        return max(self.html_bytes + html_gaps * own.html_bytes, self.text_bytes + text_gaps * own.text_bytes)

    def page(self, own: Fragment) -> Page:
        """The page with these words."""
        return Page.laid_out(
            self.form,
            (own.html, own.text),
            subject=self.subject,
            preheader=self.preheader,
            language=self.language,
        )

    def whole(self) -> Page:
        """The page of a form without a gap."""
        html = None if self.form.html is None else "".join(self.form.html)
        return Page(self.subject, self.preheader, html, "".join(self.form.text), self.language)

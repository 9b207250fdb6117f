"""What is printed once for all editions of equal news: a form, its subject and preheader, its size."""

from __future__ import annotations

from dataclasses import dataclass

from digest.model import Form, Page
from digest.render.fragment import Fragment


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

"""What people agree to when they sign up, word for word; the record names the version that they saw.

Changing a word means a new version: the old ones stay here, so that the record can be read in ten years.
"""

from __future__ import annotations

from digest.render.words import message

VERSION = "1"
WORDINGS = {
    "1": message(
        "Please send me the digest of these councils by e-mail. I can change it or end it with one click "
        "from any letter."
    )
}
"""Version -> text, in English; the catalogues hold it in the other languages."""


def wording(language: str) -> str:
    """How the record names what was shown: "sign-up text 1 (cy)"."""
    return f"sign-up text {VERSION} ({language})"

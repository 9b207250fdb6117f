"""Letters to look at before one decides: last week's for a newcomer, the next one with other wishes."""

from __future__ import annotations

from dataclasses import dataclass

from digest.model import Profile
from digest.pipeline import compose, plan
from digest.pipeline.preview import Letter, letter_of
from digest.pipeline.run import Works
from digest.store import publications
from digest.store.subscribers import Subscriber

WEEK_DAYS = 7
LONG_DAYS = 28
"""A quiet week shows little: then the sample says what four weeks had to say."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A letter that nobody gets. ``letter`` None: there is nothing to show. ``days`` that it looks back."""

    letter: Letter | None
    days: int


def sample_of(works: Works, wishes: Profile, *, timezone: str) -> Sample:
    """What these wishes would have brought last week; of four weeks where that was nothing."""
    now = works.desk.clock()
    with works.database.read() as connection:
        upto = publications.last_seq(connection)
        for days in (WEEK_DAYS, LONG_DAYS):
            start = plan.start_mark(connection, now=now, timezone=timezone, back_days=days)
            edition = compose.material_of(
                connection, wishes, from_seq=start, upto_seq=upto, as_of=now, limits=works.limits
            ).edition()
            if any(entry.seqs for entry in edition.entries):
                break
    if edition.is_empty and not edition.entries:
        return Sample(None, days)
    return Sample(letter_of(works, works.printer(edition), None), days)


def next_letter(works: Works, reader: Subscriber, wishes: Profile) -> Letter | None:
    """The reader's next letter, were it to leave now, with these wishes.

    Right after a letter nothing is new: then what these wishes would have brought last week, as `sample_of`.
    """
    now = works.desk.clock()
    with works.database.read() as connection:
        upto = publications.last_seq(connection)
        edition = compose.material_of(
            connection, wishes, from_seq=reader.covered_seq, upto_seq=upto, as_of=now, limits=works.limits
        ).edition()
    if not any(entry.seqs for entry in edition.entries):
        return sample_of(works, wishes, timezone=reader.schedule.timezone).letter
    return letter_of(works, works.printer(edition), reader)

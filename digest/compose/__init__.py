"""Wishes + log -> what is said to whom, in which order, and why. Pure: no clock, disk, network or log.

Enters: a ``Profile``, the ``LogLine``s of its councils, ``Facts`` fixed by the run. Leaves: an ``Edition``.
Must never: let one profile see another's items, or say an item of a range twice or not at all.

    profile.profile_of(councils=..., committees=..., keywords=...) -> Profile   canonical, or SubscriberError
    profile.profile_to_json / profile_from_json / entitled / without_council
    lines.LineIndex(lines)                    once per run; every function below takes it or plain lines
    edition.edition_of(profile, lines, facts) -> Edition
    edition.items_of(edition) -> item refs    named or counted, for ``news_item``
    explain.explain(profile, lines, facts) -> Verdict per line
    select.select(profile, lines, from_seq=, upto_seq=, councils=) -> Chosen per item, first in rank first
"""

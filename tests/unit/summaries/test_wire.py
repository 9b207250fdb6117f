"""What the store keeps comes back exactly as it was."""

from __future__ import annotations

from datetime import UTC

from hypothesis import given
from hypothesis import strategies as st

from digest.model import Attendee, Condensed, Decision, Document, DocumentKind, Origin, Section, Summary
from digest.summaries.wire import condensed_from_json, condensed_to_json, summary_from_json, summary_to_json

words = st.text(st.characters(codec="utf-8"), max_size=20)
maybe = st.none() | words


def some(of: st.SearchStrategy[object]) -> st.SearchStrategy[tuple[object, ...]]:
    return st.lists(of, max_size=3).map(tuple)


attendees = st.builds(Attendee, words, role=maybe, party=maybe, ward=maybe)
documents = st.builds(Document, st.sampled_from(DocumentKind), words, words)
decisions = st.builds(Decision, words, outcome=maybe, item=maybe)
summaries = st.builds(
    Summary,
    council=words,
    committee=words,
    starts_at=st.none() | st.datetimes(timezones=st.just(UTC)).map(lambda at: at.replace(fold=0)),
    starts_on=st.dates(),
    origin=st.sampled_from(Origin),
    lead=words,
    sections=some(st.builds(Section, words, words)),
    title=maybe,
    url=maybe,
    video_url=maybe,
    source_id=maybe,
    language=words,
    model=maybe,
    questions=some(words),
    topics=some(words),
    attendees=some(attendees),
    documents=some(documents),
    decisions=some(decisions),
    footnotes=some(st.tuples(words, words)),
)
condenseds = st.builds(
    Condensed,
    headline=words,
    lead=words,
    brief_html=words,
    brief_text=words,
    full_html=words,
    full_text=words,
    questions=some(words),
    topics=some(words),
    decisions=some(decisions),
    attendees=some(attendees),
    documents=some(documents),
    origin=st.sampled_from(Origin),
    language=words,
    search_text=words,
)


@given(summaries)
def test_a_summary_comes_back_with_the_same_fingerprint(summary: Summary) -> None:
    back = summary_from_json(summary_to_json(summary))
    assert back == summary
    assert back.fingerprint == summary.fingerprint


@given(condenseds)
def test_a_condensed_summary_comes_back_equal_in_value_and_type(condensed: Condensed) -> None:
    back = condensed_from_json(condensed_to_json(condensed))
    assert back == condensed
    assert repr(back) == repr(condensed)

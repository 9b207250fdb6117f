"""The words of many items: which of a council's items have a topic, a word or a phrase.

Enters: one ``Wording`` per item version. Leaves: ordinals of the items that have a name key as whole
words, in any case and spelling that ``name_key`` levels. Built once, asked by every profile of a run.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Mapping, Sequence

from digest.model import Condensed, Meeting, Reason, name_key

# Reasons that are kept per item; more are made again, so that many readers never fill the memory.
_MOST_REASONS = 1024


class Wording:
    """What one version of an item can be matched by."""

    __slots__ = ("_meeting", "_reasons", "_summaries", "committee_keys", "topics")

    def __init__(self, meeting: Meeting, summaries: Sequence[Condensed] = ()) -> None:
        self._meeting = meeting
        self._summaries = summaries
        self._reasons: dict[tuple[str, str], Reason] = {}
        self.committee_keys = meeting.committee_keys | {name_key(meeting.committee)}
        self.topics = {name_key(topic): topic for summary in summaries for topic in summary.topics}

    def key(self) -> str:
        """The whole text as a name key with a space at either end, so that a space borders every word."""
        return f" {name_key(self._text())} "

    def reason(self, kind: str, key: str) -> Reason:
        """The reason for a match of that key, in the item's own spelling ("SEND")."""
        reason = self._reasons.get((kind, key))
        if reason is None:
            if len(self._reasons) >= _MOST_REASONS:
                self._reasons.clear()
            value = self.topics[key] if kind == "topic" else self._spelling(key)
            reason = self._reasons[kind, key] = Reason(kind, value)
        return reason

    def _text(self) -> str:
        parts = [self._meeting.title, self._meeting.committee, self._meeting.venue or ""]
        parts += [document.title for document in self._meeting.documents]
        for summary in self._summaries:
            parts += [summary.headline, summary.search_text, *summary.topics]
        return "\n".join(parts)

    def _spelling(self, key: str) -> str:
        text = self._text()
        level = text.casefold()
        words = key.split()
        start = level.find(words[0]) if len(level) == len(text) else -1
        while start >= 0:
            end = _end_of(words, level, start)
            if end and not level[start - 1 : start].isalnum():
                return " ".join(text[start:end].split())
            start = level.find(words[0], start + 1)
        # "&" is "and" in a key, so that a key need not be found again in the text.
        return key


def _end_of(words: Sequence[str], text: str, start: int) -> int | None:
    """Where these words end when they stand at ``start``, with anything but letters between them."""
    end = start
    for number, word in enumerate(words):
        gap = end
        while number and gap < len(text) and not text[gap].isalnum():
            gap += 1
        if not text.startswith(word, gap) or text[gap + len(word) : gap + len(word) + 1].isalnum():
            return None
        end = gap + len(word)
    return end


class WordIndex:
    """Wordings numbered so that each council's are neighbours; postings per word, made when first asked."""

    def __init__(self, groups: Mapping[str, Sequence[Wording]]) -> None:
        self.wordings: list[Wording] = []
        self._spans: dict[str, tuple[int, int]] = {}
        for council, wordings in groups.items():
            low = len(self.wordings)
            self.wordings.extend(wordings)
            self._spans[council] = (low, len(self.wordings))
        self._keys: list[str] = []
        self._words: dict[str, array[int]] | None = None
        self._topics: dict[str, array[int]] = {}

    def span(self, council: str) -> tuple[int, int]:
        """The council's ordinals: from the first up to, not including, the second."""
        return self._spans.get(council, (0, 0))

    def with_topic(self, key: str, council: str) -> Sequence[int]:
        """Ordinals of the council's items that have this topic, ascending."""
        self._built()
        return self._within(self._topics.get(key), council)

    def with_words(self, key: str, council: str) -> Sequence[int]:
        """Ordinals of the council's items that have this word or phrase, ascending."""
        first, space, _ = key.partition(" ")
        found = self._within(self._built().get(first), council)
        if not space:
            return found
        phrase = f" {key} "
        return [ordinal for ordinal in found if phrase in self._keys[ordinal]]

    def _within(self, postings: array[int] | None, council: str) -> Sequence[int]:
        if postings is None:
            return ()
        low, high = self.span(council)
        start = bisect_left(postings, low)
        return postings[start : bisect_left(postings, high, start)]

    def _built(self) -> dict[str, array[int]]:
        if self._words is None:
            self._words = {}
            for ordinal, wording in enumerate(self.wordings):
                key = wording.key()
                self._keys.append(key)
                _post(self._words, set(key.split()), ordinal)
                _post(self._topics, wording.topics, ordinal)
        return self._words


def _post(postings: dict[str, array[int]], words: Mapping[str, str] | set[str], ordinal: int) -> None:
    for word in words:
        if word not in postings:
            postings[word] = array("l")
        postings[word].append(ordinal)

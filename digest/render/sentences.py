"""What a letter says in its own words: what is inside, why it comes, what waits, what is silent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from digest.model import Council, Edition, Folded, LineKind, Place, Profile, Reason, Silence, Waiting
from digest.render.tags import neutralise
from digest.render.views import named
from digest.render.words import Language, local, message, plural

MAX_NAMES = 4  # names in one sentence; the rest is counted
MAX_LINES = 8  # councils with a line of their own; the rest is counted


def section_heading(place: Place, language: Language) -> str:
    """The heading of a place in the letter."""
    return {
        Place.DECIDED: language("Decided"),
        Place.CORRECTED: language("Corrections"),
        Place.CHANGED: language("Moved or cancelled"),
        Place.PAPERS: language("Papers published"),
        Place.COMING_UP: language("Coming up"),
    }[place]


def counted(place: Place, n: int, language: Language) -> str:
    """ "2 meetings coming up" and the like, as part of a sentence."""
    one, many = {
        Place.DECIDED: plural("what one meeting decided", "what %(n)d meetings decided"),
        Place.CORRECTED: plural("one correction", "%(n)d corrections"),
        Place.CHANGED: plural("one change of plan", "%(n)d changes of plan"),
        Place.PAPERS: plural("papers for one meeting", "papers for %(n)d meetings"),
        Place.COMING_UP: plural("one meeting coming up", "%(n)d meetings coming up"),
    }[place]
    return language.count(one, many, n)


def _counted_apart(place: Place, n: int, withdrawn: int, language: Language) -> list[str]:
    """What is in a place, and of corrections those that say that nothing is left to correct."""
    phrases = [counted(place, n - withdrawn, language)] if n > withdrawn else []
    if withdrawn:
        phrases.append(language.count("one summary withdrawn", "%(n)d summaries withdrawn", withdrawn))
    return phrases


def place_counts(edition: Edition) -> dict[Place, int]:
    """Items by place, folded ones included."""
    counts: dict[Place, int] = {}
    for entry in edition.entries:
        counts[entry.place] = counts.get(entry.place, 0) + 1
    for folded in edition.folded:
        counts[folded.place] = counts.get(folded.place, 0) + len(folded.items)
    return {place: counts[place] for place in Place if counts.get(place)}


def opening_line(edition: Edition, language: Language) -> str:
    """One sentence that says what is inside, and from whom."""
    counts = place_counts(edition)
    councils = council_names(_speaking(edition) or edition.councils, language)
    if edition.is_quiet and not counts:
        return language("A quiet time at %(councils)s: nothing new to tell you.", councils=councils)
    if not counts:
        return language("News from %(councils)s.", councils=councils)
    withdrawn = sum(entry.line_kind is LineKind.WITHDRAWAL for entry in edition.entries)
    phrases = language.joined(
        [
            phrase
            for place, n in counts.items()
            for phrase in _counted_apart(place, n, withdrawn if place is Place.CORRECTED else 0, language)
        ]
    )
    if edition.is_quiet:
        return language(
            "A quiet time at %(councils)s: nothing new, but %(what)s.", councils=councils, what=phrases
        )
    return language("Inside: %(what)s, from %(councils)s.", what=phrases, councils=councils)


def _speaking(edition: Edition) -> tuple[Council, ...]:
    """The councils that the letter has something of, in its order."""
    spoken = {entry.council.slug: entry.council for entry in edition.entries}
    spoken |= {line.council.slug: line.council for line in edition.folded if line.council.slug not in spoken}
    return tuple(spoken.values())


def quiet_sentences(edition: Edition, language: Language) -> tuple[str, ...]:
    """The warm line of a quiet letter, and the count of what lies further back."""
    sentences = []
    if edition.is_quiet:
        sentences.append(
            language(
                "We looked, and you have missed nothing. We will write again when there is something to tell."
            )
        )
    if edition.earlier:
        sentences.append(
            language.count(
                "While you were away there was one earlier item: it is on the web.",
                "While you were away there were %(n)d earlier items: they are on the web.",
                edition.earlier,
            )
        )
    return tuple(sentences)


def council_names(councils: Sequence[Council], language: Language) -> str:
    """ "Stockport, Bury and 3 more councils"."""
    names = [neutralise(named(council.name)) for council in councils]
    if len(names) > MAX_NAMES:
        rest = len(names) - MAX_NAMES + 1
        names = [*names[: MAX_NAMES - 1], language.count("one more council", "%(n)d more councils", rest)]
    return language.joined(names) if names else language("your councils")


def why_line(profile: Profile, councils: Sequence[Council], language: Language) -> str:
    """Why this reader gets this letter, from their own wishes: a few sentences on one line."""
    sentences = [language("You follow %(councils)s.", councils=council_names(councils, language))]
    wanted = [wish for wish in profile.committees if wish.is_wanted]
    if wanted:
        sentences.append(
            language.count("You chose one committee.", "You chose %(n)d committees.", len(wanted))
        )
    words = [*profile.topics, *profile.keywords, *profile.wards]
    if words:
        shown = [f"“{neutralise(named(word))}”" for word in words[:MAX_NAMES]]
        if len(words) > MAX_NAMES:
            shown[-1] = language.count("one more", "%(n)d more", len(words) - MAX_NAMES + 1)
        sentences.append(language("You asked to be told of %(words)s.", words=language.joined(shown)))
    return " ".join(sentences)


def reason_sentence(reasons: Sequence[Reason], language: Language) -> str:
    """Why one item is in the letter; "" without reasons."""
    if len(reasons) == 1 and reasons[0].kind == "council":
        # The council's name stands right above: saying it again with each item would be noise.
        return language("Here because you follow this council.")
    kinds: dict[str, list[str]] = {}
    for reason in reasons[:MAX_NAMES]:
        kinds.setdefault(reason.kind, []).append(named(reason.value))
    phrases = [_phrase(kind, values, language) for kind, values in kinds.items()]
    return language("Here because %(reasons)s.", reasons=language.joined(phrases)) if phrases else ""


def folded_sentence(line: Folded, n: int, council: Council | None, language: Language) -> str:
    """ "and 4 more summaries from Stockport, on the web", in the words of the place and the cause."""
    what = language.count(*_folded_words(line), n)
    if council is None:
        return language("%(what)s, on the web", what=what)
    return language("%(what)s from %(council)s, on the web", what=what, council=named(council.name))


def _folded_words(line: Folded) -> tuple[str, str]:
    if line.why == "later":
        return plural(
            "and one more meeting later on",
            "and %(n)d more meetings later on",
        )
    if line.why == "held":
        return plural("and one more meeting already held", "and %(n)d more meetings already held")
    return {
        Place.DECIDED: plural("and one more summary", "and %(n)d more summaries"),
        Place.CORRECTED: plural("and one more correction", "and %(n)d more corrections"),
        Place.CHANGED: plural("and one more change", "and %(n)d more changes"),
        Place.PAPERS: plural("and papers for one more meeting", "and papers for %(n)d more meetings"),
        Place.COMING_UP: plural("and one more meeting", "and %(n)d more meetings"),
    }[line.place]


def limited_sentences(waiting: Sequence[Waiting], language: Language) -> tuple[str, ...]:
    """A line for each council with limited support, and how many wait."""
    lines = [
        language.count(
            "%(council)s: you are the first to wait for it.",
            "%(council)s: %(n)d people wait for it, you among them.",
            max(w.waiting, 1),
            council=named(w.council.name),
        )
        for w in waiting[:MAX_LINES]
    ]
    return (*lines, *_rest(len(waiting), language))


def paused_sentences(councils: Sequence[Council], language: Language) -> tuple[str, ...]:
    """An honest line for each council that is not polled."""
    lines = [
        language("%(council)s is paused: we are not reading its pages at present.", council=named(c.name))
        for c in councils[:MAX_LINES]
    ]
    return (*lines, *_rest(len(councils), language))


def silence_sentences(silences: Sequence[Silence], language: Language, *, year: int) -> tuple[str, ...]:
    """A line for each council whose pages could not be read, and since when."""
    lines = []
    for silence in silences[:MAX_LINES]:
        on = local(silence.since, silence.council.timezone).date()
        lines.append(
            language(
                "We have not been able to read %(council)s's pages since %(day)s. You are still subscribed; "
                "we keep trying, and what we missed will follow.",
                council=named(silence.council.name),
                day=language.short_day(on, with_year=on.year != year),
            )
        )
    return (*lines, *_rest(len(silences), language))


def _rest(n: int, language: Language) -> tuple[str, ...]:
    if n <= MAX_LINES:
        return ()
    return (
        language.count(
            "The same is true of one more council.", "The same is true of %(n)d more councils.", n - MAX_LINES
        ),
    )


def _phrase(kind: str, values: list[str], language: Language) -> str:
    if kind == "keyword":
        values = [f"“{value}”" for value in values]
    phrases: Mapping[str, str] = {
        "council": message("you follow %(value)s"),
        "committee": message("you follow %(value)s"),
        "topic": message("it is about %(value)s"),
        "keyword": message("it mentions %(value)s"),
        "ward": message("it names %(value)s ward"),
    }
    return language(phrases.get(kind, message("it matches %(value)s")), value=language.joined(values))

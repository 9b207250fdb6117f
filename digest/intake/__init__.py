"""Intake: a feed's address becomes sightings of meetings, and sightings become changes.

Enters: addresses and what is known of a feed. Leaves: ``ParsedFeed``, ``Change``, next poll times.
Must never: let a document reach a parser unguarded, guess a date, or take absence for a cancellation.

    fetch.Fetcher.fetch(FeedRequest(url, etag=, last_modified=)) -> RawFeed | NotModified; FetchError
    child.ParserPool.parse(raw, timezone=, country=, as_of=, dialect=, hosts=) -> ParsedFeed; FeedError
    parse.parse(...) the same in this process; waiting.fresh_for_s(headers, now=) max-age and Expires
    check.check_document(raw, ...) what `digest feed check --json` prints; parsed_document, error_document
    decide.meeting_key(sighting, council=) -> str; decide.decide(sighting, known, council=, now=, timezone=)
        -> Change(kind, meeting to store, before, line to append or None); Meeting.said_at is to be stored
    kinship: council_of (shared hosts), are_joint, meeting_of (webcasts), earlier_self (moved, without ids)
    schedule.after_poll(FeedHistory, Poll | failed(error), now=) -> FeedHistory with next_poll_at;
        health(), silent_since(), adopted_address()
    discover.discover(url, fetcher, parse=) -> tuple[FoundFeed, ...]; directory.known_council(slug)
"""

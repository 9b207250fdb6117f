"""One file per kind of feed: each says what it recognises and turns items into sightings.

Enters: a guarded, normalised document (``items.Document``) and the council's circumstances.
Leaves: sightings and what is no meeting, with the reason. A new dialect is one file and one line in
``registry``. Must never: look at the clock, fetch a link, or guess a date.
"""

"""Whether a reader follows a meeting, whatever is said of it."""

from __future__ import annotations

from digest.model import Meeting, Profile


def is_followed(profile: Profile, meeting: Meeting) -> bool:
    """True for a meeting of a council followed: of chosen committees where some are, never of excluded ones.

    Topics and keywords choose among what is said (ADR 0008); a calendar holds all meetings that are followed.
    """
    if meeting.council not in profile.councils:
        return False
    wishes = [wish for wish in profile.committees if wish.council == meeting.council]
    only = {wish.committee for wish in wishes if wish.is_wanted}
    but = {wish.committee for wish in wishes if not wish.is_wanted}
    keys = meeting.committee_keys
    return (not only or not only.isdisjoint(keys)) and but.isdisjoint(keys)

"""Which words name a body that meets, and what is left of a title when its frills are off."""

from __future__ import annotations

import re

# A news post or a town's calendar is a meeting's only if something that meets is named in it.
_BODY = re.compile(
    r"\b(?:councils?|cabinet|committees?|sub-?committees?|commissions?|commissioners|board|panel|executive|assembly|authority"
    r"|forum|trustees|aldermen|supervisors|selectmen|parish\smeeting|town\smeeting|plenary|scrutiny|working\s(?:group|party)"
    r"|task\s(?:group|force|and\sfinish)|hearing|tribunal|partnership|conference|caucus|senate|quorum|mayor's"
    r"|cyngor|pwyllgor|is-bwyllgor|bwrdd|fforwm|cabined|gweithgor|συμβούλιο|επιτροπή|rat|ausschuss|conseil|consejo)\b",
    re.IGNORECASE,
)
# Names that no fair or newsletter has, whatever else the title says ("Jobs and Skills Committee").
_FORMAL = re.compile(
    r"\b(?:committee|sub-?committee|commission|panel|cabinet|working\s(?:group|party)|pwyllgor|is-bwyllgor|επιτροπή)\b",
    re.IGNORECASE,
)
_MEETING = re.compile(
    r"\b(?:meetings?|agendas?|minutes|agm|summons|cyfarfod|rhaglen|cofnodion|συνεδρίαση)\b", re.IGNORECASE
)
_COMMUNITY = re.compile(
    r"\b(?:christmas|switch-?on|fireworks?|festival|fair|fete|market|carnival|concert|parade|remembrance|breakfast|bonfire"
    r"|news|newsletter|bulletin|statement|precept|council\stax|road\sclosures?|bin|recycl\w+|vacanc\w+|jobs?|recruitment|consultation|survey|volunteers?|holiday|bank\sholiday)\b",
    re.IGNORECASE,
)
_LEAD = re.compile(
    r"^(?:(?:(?:an?|the|next|our)\s)?(?:(?:extraordinary|extra-ordinary|ordinary|annual|special|regular|monthly|full)\s)*meeting\sof"
    r"(?:\sthe)?|(?:(?:public|formal)\s)?notice\sof(?:\s(?:a\s|the\s)?meeting(?=\s?[:–-]|\sof))?|notice:?|(?:draft|approved|amended|revised|unconfirmed|unapproved)\s"
    r"|agendas?|minutes|papers|documents|summons|supplement(?:ary)?(?:\sagenda)?|reports?|webcast|video|live(?:stream)?|watch|upcoming|next|new|invitation)"
    r"(?:\s(?:and|&)\s(?:agenda|minutes|summons|papers|reports))?(?:\s(?:for|of|to|from|published|available|now|the|a|an|next|our|your))*\s*[:–—-]?\s+",
    re.IGNORECASE,
)
_TAIL = re.compile(
    r"[\s:–—-]+(?:(?:draft|approved|regular|special|extraordinary|extra-ordinary|ordinary|annual|monthly|business|public|work(?:ing)?\ssession)\s)*"
    r"(?:meetings?|agendas?|minutes|papers|packet|notice|summons|agm|work\ssession|study\ssession)"
    r"(?:\s(?:and|&)\s(?:agenda|minutes|papers))?(?:\s(?:agenda|minutes|papers|packet|notice|published|now\savailable|available))*$",
    re.IGNORECASE,
)


# What news does and a name does not.
_NEWS = re.compile(
    r"\b(?:appoint|approve|agree|announce|launch|invite|seek|welcome|set|vote|plan|open|close|elect|support|call|win|back"
    r"|reject|publishe|urge|warn|award|adopt|consult|introduce|increase|start|begin|end|need|want|host|mark|celebrate)s\b"
    r"|\b(?:has|have|is|are|was|were|will|would|can|could|should|must|may|your|our|how|why|what|who)\b"
    r"|\b(?:from|to|by|until|since|with|for|about)$",
    re.IGNORECASE,
)
_PUBLIC = re.compile(
    r"\b(?:town|parish|community|ward|public|annual)\s(?:town\s|parish\s)?meeting$", re.IGNORECASE
)


def is_a_name(text: str) -> bool:
    """True for what may be a committee's name, not a sentence of the news."""
    return bool(text) and not _NEWS.search(text) and len(text) <= 150


def names_a_body(text: str) -> bool:
    """True where something that meets is named."""
    return bool(_BODY.search(text))


def is_a_body(text: str) -> bool:
    """True for the name of a body that meets, and nothing else beside it ("Parish Council")."""
    return is_a_name(text) and names_a_body(text) and not _MEETING.search(text) and len(text.split()) <= 8


def is_about_a_meeting(text: str) -> bool:
    """True where a title speaks of a meeting or its papers and not of a fair."""
    if _FORMAL.search(text):
        return True
    return bool((_BODY.search(text) or _MEETING.search(text)) and not _COMMUNITY.search(text))


def bare(name: str) -> str:
    """The body alone: of "Agenda for the Full Council Meeting", of "City Council Business Meeting"."""
    for _ in range(3):
        name, before = _LEAD.sub("", name), name
        shorter = name if _PUBLIC.search(name) else _TAIL.sub("", name)
        name = shorter if shorter.strip() else name
        if name == before:
            break
    return name.strip(" ,;:–—-.")

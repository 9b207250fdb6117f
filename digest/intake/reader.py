"""RSS 0.9x to 2.0, RSS 1.0 and Atom in one pass of expat, into plain items.

The usual feed is well-formed once it is guarded, and this reads it at a tenth of feedparser's cost and
without its traps (its regular expressions over authors and prologs, its sanitiser). What expat refuses
goes to feedparser (``items``), which the tests also hold this reader against. Namespaces are not
resolved: prefixes are undeclared or the site's own too often, so local names count.
"""

from __future__ import annotations

from urllib.parse import urljoin
from xml.parsers import expat

from digest.intake.items import MAX_FIELD, Item, ItemLink

# Elements of these prefixes mean the same as without; of any other prefix they are fields of their own.
_CORE_PREFIXES = frozenset({"", "rss", "rss1", "atom", "atom10", "a10"})
_PLAIN = {
    "title": "title", "guid": "guid", "id": "guid", "pubdate": "published", "published": "published",
    "issued": "published", "updated": "updated", "modified": "updated", "description": "summary",
    "summary": "summary", "content": "content",
}  # fmt: skip
_PREFIXED = {
    "content:encoded": "content", "dc:date": "published", "dcterms:issued": "published",
    "dcterms:modified": "updated", "media:description": "summary",
}  # fmt: skip
_ITEMS = frozenset({"item", "entry"})
MAX_ELEMENTS = 200  # of one item; the rest is passed over


class Refused(Exception):  # noqa: N818 (an outcome, caught one floor up)
    """Expat cannot read the document."""


class _Element:
    """An item, or the channel itself, while it is read."""

    __slots__ = ("categories", "count", "fields", "links", "values")

    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        self.links: list[ItemLink] = []
        self.fields: list[tuple[str, str]] = []
        self.categories: list[str] = []
        self.count = 0


class Reader:
    """Reads one document. ``channel`` and ``items`` are filled by ``read``."""

    def __init__(self) -> None:
        self.channel = _Element()
        self.items: list[Item] = []
        self._open: list[_Element] = [self.channel]
        self._path: list[str] = []
        self._depths: list[int] = []  # at which each open item stands
        self._bases: list[tuple[int, str]] = []
        self._field = ""
        self._field_depth = 0
        self._text: list[str] = []
        self._size = 0
        self._root_prefix = ""

    def read(self, text: str) -> None:
        """Raises: Refused where the document is not well-formed."""
        parser = expat.ParserCreate("utf-8")
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        try:
            parser.Parse(text.encode("utf-8", "replace"), True)
        except expat.ExpatError as error:
            raise Refused(str(error)) from error

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        path = self._path
        path.append(name)
        depth = len(path)
        prefix, _, local = name.lower().rpartition(":")
        if depth == 1:
            self._root_prefix = prefix
        if "xml:base" in attributes:
            self._bases.append((depth, urljoin(self._base(), attributes["xml:base"].strip())))
        if self._field:
            self._inside(local, attributes)
        elif local in _ITEMS and (prefix in _CORE_PREFIXES or prefix == self._root_prefix) and depth > 1:
            element = _Element()
            if "rdf:about" in attributes:
                element.values["guid"] = attributes["rdf:about"].strip()
            self._open.append(element)
            self._depths.append(depth)
        elif self._depths or local not in (
            "rss",
            "rdf",
            "feed",
            "channel",
            "group",
            "items",
            "image",
            "textinput",
        ):
            self._begin(prefix, local, attributes, depth)

    def _begin(self, prefix: str, local: str, attributes: dict[str, str], depth: int) -> None:
        element = self._open[-1]
        element.count += 1
        if local == "group" or element.count > MAX_ELEMENTS:
            return  # what is in a group stands for itself
        if local in ("link", "enclosure"):
            self._link(element, prefix, local, attributes)
        if local == "category" and "term" in attributes:
            element.categories.append(attributes["term"][:200])
        is_core = prefix in _CORE_PREFIXES or prefix == self._root_prefix
        self._field = local if is_core else f"{prefix}:{local}"
        self._field_depth = depth
        self._text = []
        self._size = 0

    def _link(self, element: _Element, prefix: str, local: str, attributes: dict[str, str]) -> None:
        href = attributes.get("href") or attributes.get("url") or ""
        if not href or len(element.links) >= 50:
            return
        rel = "enclosure" if local == "enclosure" else attributes.get("rel", "alternate").lower()
        href = self._joined(href.strip()[:MAX_FIELD])
        element.links.append(
            ItemLink(href, rel, attributes.get("title", "")[:300], attributes.get("type", "")[:100])
        )

    def _inside(self, local: str, attributes: dict[str, str]) -> None:
        """Markup inside a field (XHTML content): links are kept, the rest parts words."""
        if local == "a" and "href" in attributes:
            self._append('<a href="' + attributes["href"].replace('"', "%22")[:2_000] + '">')
        else:
            self._append(" ")

    def _characters(self, text: str) -> None:
        if self._field:
            self._append(text)

    def _append(self, text: str) -> None:
        if self._size < MAX_FIELD:
            self._text.append(text)
            self._size += len(text)

    def _end(self, name: str) -> None:
        depth = len(self._path)
        self._path.pop()
        if self._bases and self._bases[-1][0] == depth:
            self._bases.pop()
        if self._field:
            if depth == self._field_depth:
                self._finish()
            elif name.lower().rpartition(":")[2] == "a":
                self._append("</a>")
        elif self._depths and self._depths[-1] == depth:
            self._depths.pop()
            self.items.append(_item(self._open.pop()))

    def _finish(self) -> None:
        element, field = self._open[-1], self._field
        text = "".join(self._text)[:MAX_FIELD].strip()
        self._field = ""
        if field == "link":
            if text and "link" not in element.values:
                element.values["link"] = self._joined(text)
        elif field in ("category", "dc:subject"):
            if text and len(element.categories) < 20:
                element.categories.append(text[:200])
        elif text:
            key = _PLAIN.get(field) or _PREFIXED.get(field)
            if key is None:
                element.fields.append((field.rpartition(":")[2], text))
            elif key not in element.values:
                element.values[key] = text

    def _base(self) -> str:
        return self._bases[-1][1] if self._bases else ""

    def _joined(self, href: str) -> str:
        if not self._bases or any(c in href for c in "\r\n\t"):
            return href
        return urljoin(self._base(), href)


def link_of(element: _Element) -> str:
    """The element's own link: RSS's text, else Atom's first alternate."""
    given = element.values.get("link")
    return given or next((link.href for link in element.links if link.rel == "alternate"), "")


def _item(element: _Element) -> Item:
    values = element.values
    guid = values.get("guid")
    return Item(
        title=values.get("title", ""),
        link=link_of(element) or (guid if guid and guid.startswith(("http://", "https://")) else ""),
        guid=guid,
        published=values.get("published", "")[:200],
        updated=values.get("updated", "")[:200],
        summary=values.get("summary", ""),
        content=values.get("content", ""),
        links=tuple(element.links),
        fields=tuple(element.fields),
        categories=tuple(element.categories),
    )

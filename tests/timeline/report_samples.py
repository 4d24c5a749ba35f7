"""Pages of sample documents, read by a parser that knows nothing of how they were made."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html.parser import HTMLParser

from corridor_cli.timeline.report.make import make_page
from corridor_cli.timeline.report.pages import Player
from corridor_cli.timeline.schema import Timeline

VOID = {"meta", "img", "br", "link", "input"}
NO_VIDEO = Player(None, "The video is not there.")


class Element:
    """An element with its attributes, its text, and the elements below it."""

    def __init__(self, tag: str, attributes: dict[str, str]) -> None:
        self.tag = tag
        self.attributes = attributes
        self.children: list[Element] = []
        self.pieces: list[str] = []

    @property
    def text(self) -> str:
        return "".join(self.pieces)

    @property
    def classes(self) -> list[str]:
        return self.attributes.get("class", "").split()

    def all(self, tag: str = "", name: str = "") -> list[Element]:
        """The elements below of a tag, a class, or both."""
        found = []
        for child in self.children:
            if (not tag or child.tag == tag) and (not name or name in child.classes):
                found.append(child)
            found += child.all(tag, name)
        return found

    def one(self, tag: str = "", name: str = "") -> Element:
        (found,) = self.all(tag, name)
        return found


class _Reader(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.root = Element("", {})
        self.open = [self.root]
        self.feed(text)
        self.close()
        assert len(self.open) == 1, f"{self.open[-1].tag} is left open"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"{tag} has an attribute twice"
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.open[-1].children.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop().tag == tag, f"{tag} is closed and was not open"

    def handle_data(self, data: str) -> None:
        for element in self.open:
            element.pieces.append(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")


def read_page(html: bytes) -> Element:
    """The page's elements. Fails where tags do not nest, or where there is a comment."""
    return _Reader(html.decode("utf-8")).root


def page_of(
    timeline: Timeline,
    name: str = "clip.mp4",
    player: Player = NO_VIDEO,
    pictures: dict[str, bytes] | None = None,
) -> Element:
    """The page of a document."""
    made = make_page(timeline, name, f"{name.rpartition('/')[2]}.timeline.json", player, pictures or {}, "")
    return read_page(made.html)


def policy_of(page: Element) -> dict[str, list[str]]:
    """The page's content security policy by directive."""
    (meta,) = [each for each in page.all("meta") if each.attributes.get("http-equiv")]
    parts = [part.split() for part in meta.attributes["content"].split(";")]
    return {name: values for name, *values in parts}


def captions_of(page: Element) -> Sequence[str]:
    """The captions in the table, in order; `""` where there is none."""
    found = []
    for row in page.all("tr", "scene"):
        words = row.one("td", "words")
        texts = [child.text for child in words.children if "caption" in child.classes]
        found.append(texts[0] if texts else "")
    return found


def plain(text: str) -> str:
    """Words alone, for comparing what went in with what came out."""
    return re.sub(r"\s+", " ", text).strip()

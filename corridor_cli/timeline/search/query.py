"""What a user asks for, read into a form that SQLite cannot misunderstand.

    red car          both words, anywhere in a scene     "red car"   next to each other
    car*             words that begin so                  -car        without it
    red car OR bus   (red and car) or bus

Nothing is an error but a question without any word to look for: a quote that is left open ends with the text,
an OR without two sides is left out. What reaches FTS5 are words of letters and digits, in quotes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from corridor_cli.errors import UsageError
from corridor_cli.printable import shortened
from corridor_cli.timeline.search.words import words_of

MAX_TERMS = 64
"""More would come near the depth that FTS5 allows an expression."""

_PIECE = re.compile(
    r'(?P<no>-?)(?:["“”„](?P<quoted>[^"“”„]*)(?:["“”„]|\Z)(?P<more>\*?)|(?P<plain>[^\s"“”„]+))'
)
_HINT = 'For example: vlmtl search out/ "red car", or with - and *: \'"red car" -street bus*\'.'


@dataclass(frozen=True, slots=True)
class Term:
    """Words that stand side by side, a blank between them; of a prefix the last one may go on."""

    words: str
    is_prefix: bool = False

    @property
    def expression(self) -> str:
        """The same for FTS5."""
        return f'"{self.words}"{" *" if self.is_prefix else ""}'

    def count_in(self, words: str) -> int:
        """How often it stands in the words of a text, as `spaced` gives them."""
        return words.count(spaced(self.words)[: -1 if self.is_prefix else None])


def spaced(words: str) -> str:
    """Words with a blank on either side of each, so that neighbours share none when they are counted."""
    return f" {words.replace(' ', '  ')} "


@dataclass(frozen=True, slots=True)
class Group:
    """What must be there together, and what must not."""

    wanted: tuple[Term, ...]
    unwanted: tuple[Term, ...] = ()

    @property
    def expression(self) -> str:
        """The same for FTS5."""
        wanted = " AND ".join(term.expression for term in self.wanted)
        unwanted = " OR ".join(term.expression for term in self.unwanted)
        return f"({wanted}) NOT ({unwanted})" if unwanted else wanted


@dataclass(frozen=True, slots=True)
class Query:
    """Scenes are looked for that are in one of the groups at least."""

    groups: tuple[Group, ...]

    @property
    def terms(self) -> tuple[Term, ...]:
        """What may stand in a scene that is found, each once."""
        return tuple(dict.fromkeys(term for group in self.groups for term in group.wanted))


def read_query(text: str) -> Query:
    """The question in `text`. Raises `UsageError` when there is no word in it to look for."""
    groups: list[Group] = []
    wanted: list[Term] = []
    unwanted: list[Term] = []
    num_terms = 0
    for piece in [*_PIECE.finditer(text), None]:
        if piece is None or piece[0] == "OR":
            if wanted:
                groups.append(Group(tuple(dict.fromkeys(wanted)), tuple(dict.fromkeys(unwanted))))
            elif unwanted:
                raise _nothing_wanted(text)
            wanted, unwanted = [], []
        elif term := _term(piece):
            (unwanted if piece["no"] else wanted).append(term)
            num_terms += 1
    if num_terms > MAX_TERMS:
        raise UsageError(f"the question has {num_terms:,} words, allowed: {MAX_TERMS}", hint=_HINT)
    if not groups:
        raise UsageError(
            f"the question has no word to look for, got '{shortened(text)}', allowed: letters, digits, emoji",
            hint=_HINT,
        )
    return Query(tuple(groups))


def _term(piece: re.Match[str]) -> Term | None:
    text = piece["plain"] if piece["quoted"] is None else piece["quoted"]
    words = words_of(text)
    is_prefix = bool(piece["more"]) or (piece["quoted"] is None and text.endswith("*"))
    return Term(words, is_prefix) if words else None


def _nothing_wanted(text: str) -> UsageError:
    return UsageError(
        f"a question must say what to look for, not only what not, got '{shortened(text)}'", hint=_HINT
    )

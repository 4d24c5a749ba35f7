"""Answers that follow a JSON Schema: which tokens may come next, by llguidance (`pip install 'vlmtl[json]'`).

Nothing here imports torch, and llguidance only when it is asked for, so main may check a schema early. A
schema is compiled once for a tokenizer; each answer has a matcher of its own. Documents are written as
`json.dumps` would, on one line: where any white space is allowed, a model may fill its answer with it. Where
only one text can follow, llguidance allows no tokens for it but those that the tokenizer would take.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from functools import lru_cache
from importlib.util import find_spec
from typing import Any

import numpy as np
import numpy.typing as npt

from corridor_cli.engine.recovery import STAGE
from corridor_cli.errors import SchemaError, UsageError
from corridor_cli.hardware import num_usable_cpus
from corridor_cli.records import ErrorInfo

INVALID_JSON = ErrorInfo(
    STAGE, "InvalidJson", "llguidance gave the answer up before it was a whole document; use a simpler schema"
)

_PACKAGE = "llguidance"
_MAX_THREADS = 8
_FORM = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}
_BITS_OF_WORD = 32


def check_available() -> None:
    """Raise `UsageError` where the library is not installed; nothing is imported."""
    if find_spec(_PACKAGE) is None:
        raise UsageError(
            f"{_PACKAGE} is not installed, which answers in JSON need",
            hint="Install it: pip install 'vlmtl[json]'.",
        )


def check_schema(schema: str) -> None:
    """Raise `SchemaError` for a text that is no JSON Schema, or asks for what cannot be held to, and
    `UsageError` where that cannot be told for want of the library."""
    check_available()
    from llguidance import LLMatcher

    problem = LLMatcher.validate_grammar(_grammar(schema))
    if problem:
        raise _refusal(problem)


class JsonGrammars:
    """The grammars of schemas for one model, compiled once each.

    `tokenizer` is a transformers one that is backed by `tokenizers`, as nearly all are. `num_logits` is how
    many tokens the network tells apart, which may be more than have a text.
    """

    def __init__(self, tokenizer: Any, end_token_ids: Sequence[int], num_logits: int) -> None:
        self._tokenizer = tokenizer
        self._end_token_ids = tuple(end_token_ids)
        self._num_logits = num_logits
        self._vocabulary = lru_cache(maxsize=1)(self._read_vocabulary)
        self.compiled = lru_cache(maxsize=32)(self._compile)

    def _compile(self, schema: str) -> JsonGrammar:
        """The grammar of a schema. Raises `SchemaError` where it cannot be followed, `UsageError` where the
        library is missing."""
        check_available()
        from llguidance import LLMatcher

        grammar = _grammar(schema)
        matcher = LLMatcher(self._vocabulary(), grammar, log_level=0)
        if matcher.is_error():
            raise _refusal(matcher.get_error())
        return JsonGrammar(matcher, self._end_token_ids, self._vocabulary().vocab_size)

    def _read_vocabulary(self) -> Any:
        """What the library makes of the tokenizer; takes about a second for 150,000 tokens."""
        from llguidance import LLTokenizer

        backend = getattr(self._tokenizer, "backend_tokenizer", None)
        if backend is None or not self._end_token_ids:
            lack = "its tokenizer is not one of the `tokenizers` library"
            raise SchemaError(
                f"The model cannot answer in JSON: {lack if backend is None else 'it has no end token'}."
            )
        num_tokens = max(
            self._num_logits, *(number + 1 for number in self._end_token_ids),
            *(number + 1 for number in self._tokenizer.get_vocab().values()),
        )  # fmt: skip
        plain = copy(backend)
        plain.no_padding()  # set by whoever tokenised a batch: what is to be written would be padded, too
        plain.no_truncation()
        return LLTokenizer(plain.to_str(), n_vocab=num_tokens, eos_token=self._end_token_ids[0])


class JsonGrammar:
    """A schema, compiled; as often as wanted, an answer begins."""

    def __init__(self, matcher: Any, end_token_ids: tuple[int, ...], num_tokens: int) -> None:
        self._matcher = matcher
        self._end_token_ids = end_token_ids
        self._num_tokens = num_tokens

    def begin(self) -> JsonDocument:
        """A document of which nothing is written yet."""
        return JsonDocument(self._matcher.deep_copy(), self._end_token_ids, self._num_tokens)

    def is_document(self, token_ids: Sequence[int]) -> bool:
        """Whether the tokens, up to an end token, are a whole document that follows the schema."""
        document = self.begin()
        for token in token_ids:
            document.advance(token)
        return document.is_whole


class JsonDocument:
    """How far one answer has come."""

    def __init__(self, matcher: Any, end_token_ids: tuple[int, ...], num_tokens: int) -> None:
        self.matcher = matcher
        self.end_token_ids = end_token_ids
        self.num_tokens = num_tokens
        self._has_ended = False

    @property
    def is_open(self) -> bool:
        """Whether the grammar has a say in the next token: not behind the end, nor once it has given up."""
        return not self._has_ended and not self.matcher.is_error()

    @property
    def is_whole(self) -> bool:
        """Whether the document may end here."""
        return not self.matcher.is_error() and bool(self.matcher.is_accepting())

    @property
    def has_ended(self) -> bool:
        return self._has_ended

    def advance(self, token: int) -> None:
        """The token that was chosen; behind the end nothing counts."""
        if self._has_ended:
            return
        if token in self.end_token_ids:
            self._has_ended = True
        else:
            self.matcher.consume_token(token)


@lru_cache(maxsize=1)
def _executor() -> Any:
    from llguidance import LLExecutor

    return LLExecutor(max(1, min(_MAX_THREADS, num_usable_cpus())))


def allowed_tokens(documents: Sequence[JsonDocument | None]) -> npt.NDArray[np.uint8]:
    """Which tokens may come next in each document, as bits: uint8 (documents, tokens / 8), for `allow_only`.

    The end tokens among them exactly where it is whole. For None and behind an end all are; only the end is
    where the library has given a document up, so that it does not go on to no purpose.
    """
    num_tokens = max(document.num_tokens for document in documents if document is not None)
    allowed = np.full((len(documents), -(-num_tokens // _BITS_OF_WORD)), -1, dtype=np.int32)
    open_rows = [
        (document.matcher, row) for row, document in enumerate(documents) if document and document.is_open
    ]
    if open_rows:
        _executor().unsafe_compute_mask_ptr(
            open_rows, allowed.ctypes.data, allowed.shape[1] * allowed.itemsize, len(allowed)
        )
    bits = allowed.view(np.uint8)
    for row, document in enumerate(documents):
        if document is None or document.has_ended:
            continue
        if not document.is_open:
            bits[row] = 0
        can_end = document.is_whole or not document.is_open
        for token in document.end_token_ids:
            bit = np.uint8(1 << token % 8)
            bits[row, token // 8] = bits[row, token // 8] | bit if can_end else bits[row, token // 8] & ~bit
    return bits


def _grammar(schema: str) -> Any:
    from llguidance import LLMatcher

    try:
        return LLMatcher.grammar_from_json_schema(schema, overrides=_FORM)
    except ValueError as error:
        raise _refusal(str(error)) from error


def _refusal(problem: str) -> SchemaError:
    first_line = next(iter(problem.strip().splitlines()), "no reason is given")
    return SchemaError(
        f"The JSON Schema cannot be followed: {first_line[:300]}",
        hint="Use only objects, arrays, strings, numbers, enums and their limits.",
    )

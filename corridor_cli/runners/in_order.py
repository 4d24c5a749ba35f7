"""Results that come in any order, handed on in the order of the inputs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Generic, Protocol, TypeVar


class Result(Protocol):
    """The result of one input, which its place under OUTPUT names."""

    @property
    def relative(self) -> str: ...


R = TypeVar("R", bound=Result)


class InOrder(Generic[R]):
    """Hands results to `sink`. `to_come` holds, in order, what to say of each input whose result never
    comes."""

    def __init__(self, to_come: Iterable[R], sink: Callable[[R], None]) -> None:
        self._to_come = list(to_come)[::-1]
        self._sink = sink
        self._waiting: dict[str, R] = {}

    def take(self, result: R) -> None:
        """A result has come: it goes on as soon as all before it have."""
        self._waiting[result.relative] = result
        while self._to_come and self._to_come[-1].relative in self._waiting:
            self._sink(self._waiting.pop(self._to_come.pop().relative))

    def close(self) -> None:
        """No more will come."""
        while self._to_come:
            missing = self._to_come.pop()
            self._sink(self._waiting.pop(missing.relative, missing))

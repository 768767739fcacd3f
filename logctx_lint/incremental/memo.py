"""Remembering results without letting a cycle make them depend on who asked first."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from logctx_lint.incremental.dependencies import Answer, Trace, Used

T = TypeVar("T")
Store = dict[Hashable, Answer[T]]
"""Where the answers to one sort of question are kept."""
_NO_CUT = 10**9
_DEEPEST = 40
"""Questions inside questions; deeper ones are answered by the default."""
_MOST = 10_000
"""Questions that one question may lead to: around circles they multiply. Real code needs 4,000."""


class Memo:
    """Answers a question once. A question inside itself is cut: it gets the default.

    Answers of questions that lead back to themselves are not kept: whether another one on the
    same circle was answered in full or cut would depend on which of them was asked first.
    """

    def __init__(self, trace: Trace | None = None) -> None:
        self._trace = trace or Trace()
        self._active: dict[Hashable, int] = {}
        self._lowest_cut = _NO_CUT
        self._left = 0
        self.level = 0
        """How many times over the answers rest on looking at uses; see `callsites`."""

    @contextmanager
    def lower(self) -> Iterator[None]:
        """Questions asked inside are answered, and the answers kept, for one level down."""
        self.level += 1
        try:
            yield
        finally:
            self.level -= 1

    def get(self, store: Store[T], key: Hashable, compute: Callable[[], T], default: T) -> T:
        if self.level:
            key = (self.level, key)
        trace = self._trace
        known = store.get(key)
        if known is not None:
            trace.used.append(known)
            return known.value
        question = (id(store), key)
        depth = self._active.get(question)
        if depth is not None:
            self._lowest_cut = min(self._lowest_cut, depth)
            return default
        depth = len(self._active)
        if depth == 0:
            self._left = _MOST
        self._left -= 1
        if depth >= _DEEPEST or self._left < 0:
            self._lowest_cut = -1
            return default
        outer, self._lowest_cut = self._lowest_cut, _NO_CUT
        outer_used = trace.used
        used: list[Used] = []
        trace.used = used
        self._active[question] = depth
        try:
            value = compute()
        except BaseException:
            outer_used += used
            raise
        finally:
            trace.used = outer_used
            del self._active[question]
            inner = self._lowest_cut
            self._lowest_cut = min(outer, inner) if inner < depth else outer
        if inner > depth:
            known = store[key] = Answer(value, used)
            outer_used.append(known)
        else:
            outer_used += used
        return value

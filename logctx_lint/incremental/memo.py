"""Memoization of questions that depend on each other, cycles included (a fixed point).

A question that leads back to itself has no first answer. All the questions of such a circle (a
strongly connected component of what asks what) are answered together: each is assumed to have its
default, and computed from the assumptions; what comes out is assumed next, until nothing changes.
Every round is computed from the answers of the round before it alone. So the answers are those of
the whole circle, and the same whichever of its questions was asked first.

It goes as Tarjan's algorithm does: a question that has met one which is still open further out
waits for that one to be finished, and the outermost question of the circle answers all.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from logctx_lint.incremental.deep_calls import DeepCalls
from logctx_lint.incremental.dependencies import Answer, Trace, Used

T = TypeVar("T")
Store = dict[Hashable, Answer[T]]
"""Where the answers to one sort of question are kept."""
Widen = Callable[[Any, Any, int], Any]
_MOST_CHANGES = 24
"""An answer on a circle that still changes after so many rounds is the default."""
_DEPTH_OF_STACK = 24
"""Questions inside questions that one stack of calls has room for."""


class _Question:
    """A question that is not answered yet."""

    __slots__ = (
        "asked", "changes", "compute", "default", "first", "found", "index", "is_of_level", "key",
        "level", "low", "place", "store", "used", "value",
    )  # fmt: skip

    def __init__(
        self,
        store: Store[Any],
        key: Hashable,
        compute: Callable[[], Any],
        default: Any,
        level: int,
        index: int,
        place: tuple[int, Hashable],
    ) -> None:
        self.place = place
        """What it is known by while it is open."""
        self.store = store
        self.key = key
        self.compute = compute
        self.default = default
        self.level = level
        self.is_of_level = False
        """Whether another level may have another answer."""
        self.index = index
        """Questions are numbered as they come up."""
        self.low = index
        """The number of the first open question that it leads to."""
        self.asked: set[_Question] = set()
        """The open questions that it asked when it was computed last."""
        self.used: list[Used] = []
        self.value = default
        """What it is assumed to be."""
        self.found = default
        """What comes out by the assumptions."""
        self.first: tuple[Any, set[_Question]]
        """What came out when all were assumed to be their defaults, and what it asked then."""
        self.changes = 0

    def start_anew(self) -> None:
        """Go back to where all are assumed to be their defaults."""
        self.value = self.default
        self.found, self.asked = self.first
        self.changes = 0


class Memo:
    """Answers each question once; questions in a circle are answered together."""

    def __init__(self, trace: Trace | None = None, widen: Widen | None = None) -> None:
        """`widen(before, now, changes)` makes an answer less exact, for it to settle."""
        self._trace = trace or Trace()
        self._widen = widen
        self._open: dict[tuple[int, Hashable], _Question] = {}
        self._stack: list[_Question] = []
        self._waiting: list[_Question] = []
        """Computed once; a question further out that they lead to will answer them."""
        self._count = 0
        self._deep_calls = DeepCalls()
        self._transient: set[tuple[int, Hashable]] = set()
        self._level = 0
        self._is_of_level = False
        """Whether the answer that is being computed has asked for the level."""
        self.computed = 0
        """How often an answer was computed."""

    @property
    def is_idle(self) -> bool:
        """Whether no question is open."""
        return not self._open

    @property
    def level(self) -> int:
        """How many times over the answers rest on looking at uses; see `argument_types`."""
        self._is_of_level = True
        return self._level

    @contextmanager
    def lower(self) -> Iterator[None]:
        """Questions asked inside are answered for one level down.

        Answers for which nobody asked for the level are those of all levels.
        """
        self._level += 1
        try:
            yield
        finally:
            self._level -= 1

    def get(self, store: Store[T], key: Hashable, compute: Callable[[], T], default: T) -> T:
        """The answer to a question, computed if need be.

        The same thing has to be asked by the same store and key, as long as a question is open.
        """
        known = store.get(key)
        if known is None:
            here = self._level, key
            known = store.get(here)
            if known is not None:
                self._is_of_level = True
        if known is None:
            place = id(store), here
            question = self._open.get(place)
            if question is None:
                self._count += 1
                question = _Question(store, key, compute, default, self._level, self._count, place)
                known = self._ask(question)
                if question.is_of_level:
                    self._is_of_level = True
            if known is None:
                if self._stack:
                    asker = self._stack[-1]
                    asker.asked.add(question)
                    asker.low = min(asker.low, question.low)
                value: T = question.value
                return value
        if known.matters:
            self._trace.used.append(known)
        return known.value

    def transient(self, owner: object, key: Hashable, compute: Callable[[], T], default: T) -> T:
        """The answer to a question that nobody will ask again, as `owner` is made for it alone."""
        question = (id(owner), key)
        if question in self._transient:
            return default
        self._transient.add(question)
        try:
            return compute()
        finally:
            self._transient.discard(question)

    def _ask(self, question: _Question) -> Answer[Any] | None:
        """Compute a new question; then it is answered, or waits for one further out."""
        mark = len(self._waiting)
        place = question.place
        self._open[place] = question
        try:
            if len(self._stack) % _DEPTH_OF_STACK == _DEPTH_OF_STACK - 1:
                self._deep_calls.run(lambda: self._compute(question))
            else:
                self._compute(question)
            if not question.asked and len(self._waiting) == mark:
                # On no circle, as almost all.
                del self._open[place]
                return self._keep(question, question.found, question.used)
            question.first = question.found, question.asked
            if question.low == question.index:
                return self._solve(question, mark)
        except BaseException:
            self._close([*self._waiting[mark:], question])
            del self._waiting[mark:]
            raise
        self._waiting.append(question)
        return None

    def _keep(self, question: _Question, value: Any, used: Iterable[Used]) -> Answer[Any]:
        """Keep an answer for all levels, or for the one that it was asked for."""
        key = (question.level, question.key) if question.is_of_level else question.key
        answer = question.store[key] = self._trace.answered(value, used)
        return answer

    def _compute(self, question: _Question) -> None:
        """Find what comes out for a question by what is assumed of those that are open."""
        self._deep_calls.check()
        trace = self._trace
        outer = trace.used, self._level, self._is_of_level
        trace.used, self._level, self._is_of_level = question.used, question.level, False
        question.asked = set()
        self._stack.append(question)
        self.computed += 1
        try:
            question.found = question.compute()
        finally:
            self._stack.pop()
            question.is_of_level = question.is_of_level or self._is_of_level
            trace.used, self._level, self._is_of_level = outer

    def _solve(self, head: _Question, mark: int) -> Answer[Any] | None:
        """Answer a question and those that wait for it, unless it turns out to lead further."""
        if len(self._waiting) == mark and head not in head.asked:
            self._close([head])
            return self._keep(head, head.found, head.used)
        circle = self._iterate(head, mark)
        if not circle:
            self._waiting.append(head)
            return None
        del self._waiting[mark:]
        self._close(circle)
        # Each comes from all that any of them came from.
        all_used = [used for question in circle for used in question.used]
        shared = self._trace.answered(None, all_used)
        is_of_level = any(question.is_of_level for question in circle)
        for question in circle:
            question.is_of_level = is_of_level
            answer = self._keep(question, question.value, (shared,))
        return answer

    def _close(self, questions: list[_Question]) -> None:
        for question in questions:
            self._open.pop(question.place, None)

    def _iterate(self, head: _Question, mark: int) -> list[_Question]:
        """Compute the questions of a circle until what comes out is what was assumed.

        Empty if the circle is part of a larger one, whose outermost question will answer it;
        the last one is `head`.
        """
        circle = [*self._waiting[mark:], head]
        for question in circle:
            question.low = head.index
        while True:
            changed = [
                (question, value)
                for question in circle
                if (value := self._next(question)) != question.value
            ]
            if not changed:
                return circle
            for question, value in changed:
                question.value = value
                question.changes += 1
            moved = {question for question, _ in changed}
            affected = [each for each in circle if not moved.isdisjoint(each.asked)]
            closed = circle
            if not self._compute_round(affected, head):
                return self._leave(closed, mark)
            while len(self._waiting) - mark + 1 > len(circle):
                # As if those that have come up now had been there from the beginning.
                before = set(circle)
                circle = [*self._waiting[mark:], head]
                new = [question for question in circle if question not in before]
                for question in circle:
                    question.start_anew()
                for question in new:
                    question.low = head.index
                if not self._compute_round(new, head):
                    return self._leave(closed, mark)
                for question in new:
                    question.first = question.found, question.asked

    def _next(self, question: _Question) -> Any:
        """What is assumed of a question in the next round."""
        if question.found == question.value or not self._widen:
            found = question.found
        else:
            found = self._widen(question.value, question.found, question.changes)
        return found if question.changes < _MOST_CHANGES else question.default

    def _compute_round(self, questions: list[_Question], head: _Question) -> bool:
        """Compute some questions of a circle; whether none leads further out than `head`."""
        for question in questions:
            self._compute(question)
            if question.low < head.index:
                return False
        return True

    def _leave(self, closed: list[_Question], mark: int) -> list[_Question]:
        """Let the questions of a circle wait for one further out; `closed` ask no others."""
        low = min(question.low for question in [*closed, *self._waiting[mark:]])
        # The others have been computed from what does not count now.
        self._close(self._waiting[mark:])
        self._waiting[mark:] = closed[:-1]
        for question in closed:
            question.start_anew()
            question.low = low
            self._open[question.place] = question
        return []

"""Who calls whom, as far as waiting and cancelling go.

The nodes are first-party functions that are waited for: `async def`, `@inlineCallbacks`, and plain
functions that return an awaitable. What else a function calls neither suspends nor is cancelled.
The graph is lazy: the body of a function is read when somebody asks for its calls.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum

from logctx_lint.project.callees import Reason
from logctx_lint.project.classes import enclosing_scope
from logctx_lint.project.mentions import Mentions
from logctx_lint.project.modules import Function
from logctx_lint.project.overrides import Overrides, functions
from logctx_lint.project.resolver import Resolver
from logctx_lint.project.types import Certainty, FunctionType
from logctx_lint.vocabulary import Role, Vocabulary


class How(str, Enum):
    """How one function makes another one run; the values are what a person reads."""

    CALLS = "calls"
    HANDS_ON = "hands on"
    """Gives it to something that it calls, which may call it."""
    IS_WRAPPED = "is wrapped by"
    """One of its decorators makes the function that callers get."""
    BACKGROUND = "starts in background"
    PROTECTED = "protects from cancellation"

    @property
    def is_cancelled(self) -> bool:
        """Whether cancelling the caller cancels what it makes run."""
        return self not in (How.BACKGROUND, How.PROTECTED)


@dataclass(frozen=True, slots=True)
class Call:
    """One place where a function makes another one run."""

    line: int
    function: Function
    how: How


@dataclass(frozen=True, slots=True)
class Unresolved:
    """A call that may reach first-party code, nobody knows which."""

    line: int
    text: str
    reason: Reason
    is_awaited: bool

    @property
    def matters(self) -> bool:
        """Whether the function waits for something here that is seen nowhere else."""
        return self.is_awaited and self.reason is not Reason.PARAMETER


@dataclass(frozen=True, slots=True)
class Calls:
    """What one function makes run."""

    resolved: tuple[Call, ...]
    """In source order, each function once for each way."""
    unresolved: tuple[Unresolved, ...]


class CallGraph:
    """The call graph of a package; keeps what it has read."""

    def __init__(self, resolver: Resolver, vocabulary: Vocabulary, mentions: Mentions) -> None:
        self.resolver = resolver
        self.vocabulary = vocabulary
        self.mentions = mentions
        self.overrides = Overrides(resolver, mentions)
        self._calls: dict[Function, Calls] = {}
        self._waits: dict[Function, bool] = {}

    def calls(self, function: Function) -> Calls:
        """What a function makes run."""
        if function not in self._calls:
            from logctx_lint.project.callreader import CallReader

            self._calls[function] = CallReader(self, function).read()
        return self._calls[function]

    def waits(self, function: Function) -> bool:
        """Whether a function is waited for, so that it is a node of the graph."""
        if function not in self._waits:
            self._waits[function] = self._is_waited_for(function)
        return self._waits[function]

    def _is_waited_for(self, function: Function) -> bool:
        facts = function.facts
        if function.module.is_stub:
            return False
        if facts.is_async:
            return True
        if facts.is_generator:
            return Role.INLINE_CALLBACKS in self.decorator_roles(function)
        returned = self.resolver.call_type(FunctionType(function))
        certainty = self.resolver.awaitability(returned).certainty
        return certainty in (Certainty.YES, Certainty.SOME)

    def decorator_roles(self, function: Function) -> frozenset[Role]:
        """The roles of a function's decorators."""
        scope = enclosing_scope(function)
        return frozenset(
            role
            for text in function.facts.decorators
            for role in self.vocabulary.roles(self.resolver.names_of_text(text, scope))
        )

    def roots(self) -> Iterator[Function]:
        """The functions of the package that are marked as cancellable, by file and line."""
        marker = frozenset({Role.CANCELLABLE_MARKER})
        files = {
            file
            for name, files in self.mentions.decorators.items()
            if self.vocabulary.has_bare_name(name, marker)
            for file in files
        }
        for module in map(self.resolver.modules.at, sorted(files)):
            marked = [
                function
                for function in (functions(module) if module else ())
                if Role.CANCELLABLE_MARKER in self.decorator_roles(function)
            ]
            yield from sorted(marked, key=lambda function: function.line)

    def reached(self, roots: Iterable[Function]) -> Mapping[Function, Call | None]:
        """Every function that is cancelled with one of some roots, the nearest first.

        Each comes with the call by which a shortest path gets to it; None for a root.
        """
        found: dict[Function, Call | None] = dict.fromkeys(roots)
        queue = list(found)
        for function in queue:
            for call in self.calls(function).resolved:
                if call.how.is_cancelled and call.function not in found:
                    found[call.function] = call
                    queue.append(call.function)
        return found

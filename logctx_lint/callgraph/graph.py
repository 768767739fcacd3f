"""The call graph: which functions a function runs, waits for and passes its cancellation on to.

The nodes are first-party functions that are waited for: `async def`, `@inlineCallbacks`, and plain
functions that return an awaitable. What else a function calls neither suspends nor is cancelled.
The graph is lazy: the body of a function is read when somebody asks for its calls.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from logctx_lint.callgraph.body_reader import Call, CallReader, Calls
from logctx_lint.callgraph.class_hierarchy import functions
from logctx_lint.callgraph.nodes import Nodes
from logctx_lint.config.role_lookup import Vocabulary
from logctx_lint.config.vocabulary import Role
from logctx_lint.incremental.dependencies import Answers
from logctx_lint.inference.resolver import Resolver
from logctx_lint.project.modules import Function
from logctx_lint.project.text_index import Mentions


@dataclass(frozen=True, slots=True)
class Step:
    """A call, and who makes it."""

    caller: Function
    call: Call


class CallGraph:
    """The call graph of a package; keeps what it has read."""

    def __init__(self, resolver: Resolver, vocabulary: Vocabulary, mentions: Mentions) -> None:
        self.nodes = Nodes(resolver, vocabulary, mentions)
        self.trace = resolver.modules.trace
        self._calls: Answers[Function, Calls] = Answers(self.trace)

    def calls(self, function: Function) -> Calls:
        """What a function makes run."""
        return self._calls.get(function, lambda: CallReader(self.nodes, function).read())

    def roots(self) -> Iterator[Function]:
        """The functions of the package that are marked as cancellable, by file and line."""
        names = self.nodes.vocabulary.bare_names(Role.CANCELLABLE_MARKER)
        files = {file for name in names for file in self.nodes.mentions.decorators(name)}
        for module in map(self.nodes.resolver.modules.at, sorted(files)):
            marked = [
                function
                for function in (functions(module) if module else ())
                if Role.CANCELLABLE_MARKER in self.nodes.decorator_roles(function)
            ]
            yield from sorted(marked, key=lambda function: function.line)

    def reached(self, roots: Iterable[Function]) -> Mapping[Function, Step | None]:
        """Every function that is cancelled with one of some roots, the nearest first.

        Each comes with the last step of a shortest way to it; None for a root.
        """
        found: dict[Function, Step | None] = dict.fromkeys(roots)
        queue = list(found)
        for function in queue:
            for call in self.calls(function).resolved:
                if call.how.is_cancelled and call.function not in found:
                    found[call.function] = Step(function, call)
                    queue.append(call.function)
        return found


def path(reached: Mapping[Function, Step | None], function: Function) -> list[Step]:
    """The steps of a shortest way to a function that was reached."""
    steps: list[Step] = []
    while step := reached[function]:
        steps.append(step)
        function = step.caller
    return steps[::-1]

"""The nodes of the call graph: first-party functions that are waited for, and their roles."""

from __future__ import annotations

from logctx_lint.callgraph.class_hierarchy import ClassHierarchy
from logctx_lint.config.role_lookup import Vocabulary
from logctx_lint.config.vocabulary import Role
from logctx_lint.incremental.dependencies import Answers
from logctx_lint.inference.decorators import decorator_roles
from logctx_lint.inference.resolver import Resolver
from logctx_lint.inference.types import Certainty, FunctionType
from logctx_lint.project.modules import Function
from logctx_lint.project.text_index import Mentions


class Nodes:
    """What is asked of single functions of a package."""

    def __init__(self, resolver: Resolver, vocabulary: Vocabulary, mentions: Mentions) -> None:
        self.resolver = resolver
        self.vocabulary = vocabulary
        self.mentions = mentions
        self.hierarchy = ClassHierarchy(resolver, mentions)
        self._waits: Answers[Function, bool] = Answers(resolver.modules.trace)

    def waits(self, function: Function) -> bool:
        """Whether a function is waited for, so that it is a node of the graph."""
        return self._waits.get(function, lambda: self._is_waited_for(function))

    def _is_waited_for(self, function: Function) -> bool:
        facts = function.facts
        if function.module.is_foreign:
            return False
        if facts.is_async:
            return True
        if facts.is_generator:
            return Role.INLINE_CALLBACKS in self.decorator_roles(function)
        returned = self.resolver.call_type(FunctionType(function))
        certainty = self.resolver.awaitability(returned).certainty
        return certainty in (Certainty.YES, Certainty.SOME)

    def gives_coroutine(self, function: Function) -> bool:
        """Whether what a function gives does not run until somebody drives it."""
        answer = self.resolver.awaitability(self.resolver.call_type(FunctionType(function)))
        return answer.is_certain and answer.kind.is_lazy

    def decorator_roles(self, function: Function) -> frozenset[Role]:
        """The roles of a function's decorators."""
        return decorator_roles(self.resolver, self.vocabulary, function)

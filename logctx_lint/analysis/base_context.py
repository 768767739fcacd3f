"""What every rule can ask, whichever kind of tree it reads, and how it reports."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Generic, TypeVar

from logctx_lint.analysis.units import File, Unit
from logctx_lint.config.vocabulary import Role
from logctx_lint.findings import Finding, Fix, Profile, Span
from logctx_lint.inference.class_members import enclosing_scope
from logctx_lint.inference.resolver import Resolver
from logctx_lint.inference.types import (
    Awaitability,
    Certainty,
    FunctionType,
    Kind,
    Presumed,
    Type,
    members_of,
)
from logctx_lint.project.modules import Function

Node = TypeVar("Node")
_LONGEST_LABEL = 60


@dataclass(frozen=True, slots=True)
class Callee:
    """Who is called, for a message: its text, and why its result is known."""

    label: str
    reason: str

    def handed_on(self, *, has_arguments: bool) -> str:
        """The arguments that hand it to the background starter."""
        function = self.label.strip("`").removesuffix("()")
        return f"({function}, ...)" if has_arguments else f"({function})"


def functions_of(type_: Type) -> list[Function]:
    """The functions that a value may be, as far as they are known."""
    return [each.function for each in members_of(type_) if isinstance(each, FunctionType)]


def presumed_by(type_: Type) -> list[Function]:
    """The functions that a result very likely comes from, going by the method's name."""
    found = (each for each in members_of(type_) if isinstance(each, Presumed))
    return [function for each in found for function in each.functions]


def is_by_decorator(type_: Type) -> bool:
    """Whether a value is what a function very likely still gives under an unknown decorator."""
    return any(isinstance(each, Presumed) and each.by_decorator for each in members_of(type_))


class Context(ABC, Generic[Node]):
    """One unit of one file."""

    def __init__(self, unit: Unit, findings: list[Finding]) -> None:
        """What is reported goes to the end of `findings`."""
        self.unit = unit
        self.findings = findings

    @property
    def file(self) -> File:
        return self.unit.file

    @property
    def resolver(self) -> Resolver:
        return self.unit.file.resolver

    # Places

    @abstractmethod
    def span(self, node: Node) -> Span:
        """Where a node stands in the file."""

    def text(self, node: Node) -> str:
        """The source text of a node, as it stands in the file."""
        return self.file.source.at(self.span(node))

    def line(self, node: Node) -> str:
        """The source text of a node on one line, for a message."""
        return " ".join(self.text(node).split())

    # Functions

    def decorator_roles(self, function: Function) -> frozenset[Role]:
        """The roles of a function's decorators."""
        scope = enclosing_scope(function)
        return frozenset(
            role
            for text in function.facts.decorators
            for role in self.file.vocabulary.roles(self.resolver.names_of_text(text, scope))
        )

    def callee_at(self, func: Node, functions: list[Function], presumed: list[Function]) -> Callee:
        """Who is called by `func`, which may be some functions, or by its name very likely is."""
        if functions or not presumed:
            best = max(functions, key=self._awaitable, default=None)
            return Callee(self._label(func), self._reason(best) if best else "by its declared type")
        how, _, place = self._reason(presumed[0]).rpartition(", ")
        how = "to return one" if how.startswith("by ") else f"as {how}"
        return Callee(self._label(func), f"only declared {how} in this project, at {place}")

    def _label(self, func: Node) -> str:
        label = self.line(func)
        if len(label) > _LONGEST_LABEL:
            end = label[-_LONGEST_LABEL:]
            label = "…" + (end.partition(".")[2] or end)
        return f"`{label}()`"

    def _result(self, function: Function) -> Awaitability:
        return self.resolver.awaitability(self.resolver.call_type(FunctionType(function)))

    def _awaitable(self, function: Function) -> bool:
        return self._result(function).certainty in (Certainty.YES, Certainty.SOME)

    def _reason(self, function: Function) -> str:
        facts, module = function.facts, function.module
        if facts.is_async and not facts.is_generator:
            how = "async def"
            if facts.decorators and self._result(function).kind is not Kind.COROUTINE:
                how += f" under @{facts.decorators[0].partition('(')[0]}"
        elif any("inlineCallbacks" in decorator for decorator in facts.decorators):
            how = "@inlineCallbacks"
        elif facts.returns:
            how = f"annotated `-> {' '.join(facts.returns.split())}`"
        else:
            how = "by what it returns" if self._awaitable(function) else "def"
        if facts.decorators and self._result(function).certainty is Certainty.LIKELY:
            has_source = bool(self.resolver.decorators.wrappers(function))
            why = "which lets another object run it" if has_source else "which is not known"
            how += f" under @{facts.decorators[0].partition('(')[0]}, {why}"
        if module.is_stub:
            return f"{how}, {function.qualified_name}"
        return f"{how}, {module.place_of(function)}"

    # Reports

    @abstractmethod
    def _function_name(self, node: Node) -> str:
        """The function that a node is in, as it is named in the module."""

    def report(
        self,
        code: str,
        node: Node,
        message: str,
        fixes: tuple[Fix, ...] = (),
        *,
        span: Span | None = None,
        profile: Profile = Profile.RECOMMENDED,
    ) -> None:
        """Report a finding at `node`, or at a `span` of its own."""
        function, path = self._function_name(node), self.file.source.path
        place = span or self.span(node)
        self.findings.append(Finding(code, message, path, place, function, fixes, profile))

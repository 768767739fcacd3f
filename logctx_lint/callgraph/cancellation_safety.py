"""Is it safe to cancel a function? Its own code and all that it waits for have to be.

A function is unsafe where a rule about cancellation speaks on its code, and so is everything that
waits for it. What is started in the background or shielded goes on when its caller is cancelled,
and is not asked about.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass
from enum import Enum

from logctx_lint.callgraph.body_reader import Calls
from logctx_lint.callgraph.graph import CallGraph, Step, path
from logctx_lint.config.vocabulary import Role
from logctx_lint.findings import Finding
from logctx_lint.incremental.dependencies import Answers
from logctx_lint.project.modules import Function

CODES = frozenset({"LCX205", "LCX301", "LCX302", "LCX303", "LCX307", "LCX310", "LCX508"})
"""What makes it unsafe to cancel a function."""


class Verdict(str, Enum):
    """Whether a function may be cancelled, together with all that it waits for."""

    SAFE = "safe"
    UNSAFE = "unsafe"
    UNKNOWN = "unknown"
    """No rule speaks, but somewhere something unknown is waited for."""


@dataclass(frozen=True, slots=True)
class Judged:
    """One function that is cancelled with a root."""

    function: Function
    verdict: Verdict
    own: Verdict
    """What its own code alone would get."""
    findings: tuple[Finding, ...]
    calls: Calls
    is_marked: bool


@dataclass(frozen=True, slots=True)
class Audit:
    """One root and what is below it."""

    root: Judged
    reached: Mapping[Function, Step | None]
    """All that is cancelled with the root, the nearest first, each with the last step to it."""
    functions: Mapping[Function, Judged]
    """The same, judged; shared between audits, and so may hold more."""

    @property
    def problems(self) -> list[Judged]:
        """The functions whose own code is unsafe or unknown, the unsafe ones and nearest first."""
        found = [self.functions[function] for function in self.reached]
        return [
            judged
            for verdict in (Verdict.UNSAFE, Verdict.UNKNOWN)
            for judged in found
            if judged.own is verdict
        ]

    def path(self, function: Function) -> list[Step]:
        """The steps of a shortest way from the root to a function."""
        return path(self.reached, function)


@dataclass(frozen=True, slots=True)
class Repair:
    """What correcting one unsafe function would do for the roots above it."""

    function: Judged
    roots: int
    """Unsafe roots that it is cancelled with."""
    made_safe: int
    """Those of them in which nothing else is unsafe or unknown."""
    made_unknown: int
    """Those of them in which nothing else is unsafe."""


def repairs(audits: Iterable[Audit]) -> list[Repair]:
    """What to correct, that first which makes most roots safe."""
    above: dict[Function, list[Audit]] = defaultdict(list)
    for audit in audits:
        for each in audit.problems:
            if each.own is Verdict.UNSAFE:
                above[each.function].append(audit)
    found = []
    for function, roots in above.items():
        verdicts = [
            {each.own for each in audit.problems if each.function != function} for audit in roots
        ]
        left = [each for each in verdicts if Verdict.UNSAFE not in each]
        unknown = sum(Verdict.UNKNOWN in each for each in left)
        judged = roots[0].functions[function]
        found.append(Repair(judged, len(roots), len(left) - unknown, unknown))
    return sorted(found, key=lambda each: (-each.made_safe, -each.made_unknown, -each.roots))


class Auditor:
    """Judges the functions of one package; keeps what it has found out."""

    def __init__(self, graph: CallGraph, findings: Callable[[Function], Iterable[Finding]]) -> None:
        """`findings` gives what the rules `CODES` find in the unit of code a function is in."""
        self.graph = graph
        self._findings_in = findings
        self._own: Answers[Function, tuple[Finding, ...]] = Answers(graph.trace)
        self._all: Answers[str, Set[Function]] = Answers(graph.trace)

    @property
    def cancellable(self) -> Set[Function]:
        """Every function of the package that is cancelled with a marked one."""
        return self._all.get("", lambda: self.graph.reached(self.graph.roots()).keys())

    def findings(self, function: Function) -> tuple[Finding, ...]:
        """What makes a function's own code unsafe."""
        return self._own.get(function, lambda: tuple(self._find(function)))

    def _find(self, function: Function) -> Iterator[Finding]:
        name = function.local_name
        lines = range(function.facts.first_line, function.facts.end_line + 1)
        for finding in self._findings_in(function):
            if finding.function == name and finding.span.line in lines:
                yield finding

    def nearest_problems(self, root: Function) -> list[tuple[Function, list[Step]]]:
        """The unsafe functions below a root, each with a shortest way to it, the nearest first."""
        reached = self.graph.reached([root])
        return [(each, path(reached, each)) for each in reached if self.findings(each)]

    def audits(self, roots: Iterable[Function]) -> list[Audit]:
        """What is below each of some roots."""
        reached = {root: self.graph.reached([root]) for root in roots}
        functions = self._judge(dict.fromkeys(each for one in reached.values() for each in one))
        return [Audit(functions[root], below, functions) for root, below in reached.items()]

    def _judge(self, functions: Iterable[Function]) -> dict[Function, Judged]:
        own = {function: self._own_verdict(function) for function in functions}
        callers: dict[Function, list[Function]] = defaultdict(list)
        for function in own:
            for call in self.graph.calls(function).resolved:
                if call.how.is_cancelled:
                    callers[call.function].append(function)
        whole = dict.fromkeys(own, Verdict.SAFE)
        # What is unsafe somewhere is unsafe, whatever is unknown besides.
        for verdict in (Verdict.UNKNOWN, Verdict.UNSAFE):
            queue = [function for function, judged in own.items() if judged is verdict]
            for function in queue:
                whole[function] = verdict
                queue += [each for each in callers[function] if whole[each] is not verdict]
        return {
            function: Judged(
                function,
                whole[function],
                verdict,
                self.findings(function),
                self.graph.calls(function),
                Role.CANCELLABLE_MARKER in self.graph.nodes.decorator_roles(function),
            )
            for function, verdict in own.items()
        }

    def _own_verdict(self, function: Function) -> Verdict:
        if self.findings(function):
            return Verdict.UNSAFE
        unresolved = self.graph.calls(function).unresolved
        return Verdict.UNKNOWN if any(each.matters for each in unresolved) else Verdict.SAFE

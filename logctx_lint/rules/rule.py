"""What every rule is: a documented module with metadata, a screen and what decides."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from logctx_lint.analysis.context import TreeContext
    from logctx_lint.analysis.cst_context import RuleContext
    from logctx_lint.analysis.units import Unit


class Applies(str, Enum):
    """Where a rule is on (spec: "What is on")."""

    ALWAYS = "always"
    THREAD_LOCAL = "thread-local storage"
    CONTEXTVAR = "contextvar storage"
    TWISTED = "Twisted code"


class RuleVisitor:
    """Decides. Gets every node of one unit of code; reports through its context."""

    def __init__(self, context: RuleContext) -> None:
        self.context = context


def _anything(_: Unit) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. Its module's docstring is its documentation (see `logctx_lint.rules.docs`)."""

    code: str
    """Its name, family and switch are in the registry, `logctx_lint.config.codes`."""
    fixes: str
    """Fixes and their safety in a few words, for the table of rules."""
    check: Callable[[TreeContext], None] | None = None
    """Decides on `ast` alone, and reports through its context. Other rules have a visitor."""
    visitor: type[RuleVisitor] | None = None
    """Decides on libcst's tree of a unit, which is made only for units that pass the screen."""
    screen: Callable[[Unit], bool] = _anything
    """Cheap and may over-approximate: could the rule find anything in this unit?"""
    applies: Applies = Applies.ALWAYS

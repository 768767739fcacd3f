"""What a rule consists of: its metadata, its screen, its check, and its page (the docstring)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from logctx_lint.analysis.context import TreeContext
    from logctx_lint.analysis.units import Unit


class Applies(str, Enum):
    """Where a rule is on (spec: "What is on")."""

    ALWAYS = "always"
    THREAD_LOCAL = "thread-local storage"
    CONTEXTVAR = "contextvar storage"
    TWISTED = "Twisted code"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. Its module's docstring is its documentation (see `logctx_lint.rules.docs`)."""

    code: str
    """Its name, family and switch are in the registry, `logctx_lint.config.codes`."""
    fixes: str
    """Fixes and their safety in a few words, for the table of rules."""
    check: Callable[[TreeContext], None]
    """Decides, and reports through its context."""
    screen: Callable[[Unit], bool] | None = None
    """Cheap and may over-approximate: could the rule find anything in this unit?"""
    applies: Applies = Applies.ALWAYS

"""Who is called, as messages name it, and how what a call gives is known."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from logctx_lint.findings import Related


class Evidence(Enum):
    """What says that a call gives an awaitable; the first is the strongest."""

    FUNCTION = "a function, whose definition is known"
    DECLARATION = "a declared type, and no function is known"
    NAME = "the name of a method, of a receiver that is not known"
    HABIT = "the rest of the file, which awaits such calls"

    @property
    def is_weak(self) -> bool:
        """Whether the call may well be of something else; so it mostly was on unseen code."""
        return self in (Evidence.NAME, Evidence.HABIT)


@dataclass(frozen=True, slots=True)
class Callee:
    """Who is called, for a message: its text, and why its result is known."""

    label: str
    reason: str
    definition: Related | None = None
    """Where the project defines it."""
    evidence: Evidence = Evidence.FUNCTION
    is_contradicted: bool = False
    """Whether the rest of the file takes what such calls give for a plain value."""
    is_confirmed: bool = False
    """Whether the file awaits the same method of the same object elsewhere."""

    @property
    def is_guess(self) -> bool:
        """Whether the call may well be of something else."""
        return self.evidence.is_weak and not self.is_confirmed

    def handed_on(self, *, has_arguments: bool, as_coroutine: bool = False) -> str:
        """The arguments that hand it to the background starter."""
        function = self.label.strip("`").removesuffix("()")
        if as_coroutine:
            return f"({function}({'...' if has_arguments else ''}))"
        return f"({function}, ...)" if has_arguments else f"({function})"

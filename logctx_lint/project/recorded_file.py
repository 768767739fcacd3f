"""The file of a module; all that is read from it is recorded (see `incremental.dependencies`).

The less is asked for, the more rarely dependent files have to be checked again.
"""

from __future__ import annotations

from logctx_lint.incremental.dependencies import Trace
from logctx_lint.project.always_awaited import AlwaysAwaited
from logctx_lint.project.facts import ClassFacts, ModuleFacts, aliases, values_with
from logctx_lint.project.files import (
    ALIASES,
    ALWAYS_AWAITED,
    CLASSES,
    EVERYTHING,
    FRAMEWORKS,
    REPLACEMENTS,
    ModuleFile,
)
from logctx_lint.project.member_replacements import ModuleReplacements
from logctx_lint.syntax.source import Source


class RecordedFile:
    """A file, and who takes down what is asked of it."""

    def __init__(self, file: ModuleFile, trace: Trace, *, is_installed: bool) -> None:
        self.file = file
        self._trace = trace
        self.is_installed = is_installed
        """Whether it belongs to a distribution that is installed beside the project."""

    def _note(self, part: str) -> None:
        # What is installed changes seldom, and then as a whole.
        self._trace.used.append(self.file.part(EVERYTHING if self.is_installed else part))

    def note_all(self) -> None:
        """Take down that any of the text may be used."""
        self._note(EVERYTHING)

    @property
    def source(self) -> Source:
        """The text, for what has been taken down; raises Unreadable if the file has vanished."""
        return self.file.source

    @property
    def facts(self) -> ModuleFacts:
        """All that is known of the module, lines included."""
        self.note_all()
        return self.file.facts

    def facts_about(self, name: str) -> ModuleFacts:
        """Facts of which only what stands under `name` may be used, and no line numbers."""
        self._note(f"item {name}")
        return self.file.facts_about(name)

    @property
    def always_awaited(self) -> AlwaysAwaited:
        """What the module awaits wherever it calls it, but for one place."""
        self._note(ALWAYS_AWAITED)
        return self.file.always_awaited

    @property
    def replacements(self) -> ModuleReplacements | None:
        """Which members of classes the module replaces; None where it cannot be parsed."""
        self._note(REPLACEMENTS)
        return self.file.replacements

    @property
    def stars(self) -> tuple[str, ...]:
        """What the module imports everything from."""
        self._note("stars")
        return self.file.stars

    def defines(self, name: str) -> bool:
        """Whether the module itself gives a name a meaning."""
        facts = self.facts_about(name)
        return any(
            name in table
            for table in (facts.imports, facts.functions, facts.classes, facts.variables)
        )

    @property
    def classes(self) -> dict[str, ClassFacts]:
        """All its classes; where they stand may not be used."""
        self._note(CLASSES)
        return self.file.facts.classes

    @property
    def aliases(self) -> dict[str, set[str]]:
        """The other last names of what names of the module stand for."""
        self._note(ALIASES)
        return aliases(self.file.facts)

    def note_frameworks(self) -> None:
        """Take down that it matters which frameworks the text imports."""
        self._note(FRAMEWORKS)

    def mentions(self, word: str) -> bool:
        """Whether a word stands anywhere in the text."""
        self._note(f"mentions {word}")
        return self.source.mentions(word)

    def values_with(self, word: str) -> list[tuple[str, str]]:
        """The variables of the module whose values mention a word, with these."""
        self._note(f"values {word}")
        return values_with(self.file.facts, word)

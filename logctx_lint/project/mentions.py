"""Where a package's text mentions what a question is about, so that only those files are read.

Text, not facts: whoever asks for subclasses or for decorated functions needs the files of the whole
package, and looking for names costs a tenth of parsing. An answer may name too many files and is
checked against the facts of those.
"""

from __future__ import annotations

import contextlib
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

# Each begins with letters, which `re` finds many times faster than the beginning of a line.
_CLASS = re.compile(r"class \w+[^(:\n]*\(([^:]*)\)[ \t]*:")
_DECORATOR = re.compile(r"@([\w.]+)")
_DEF = re.compile(r"def (\w+)")
_ALIAS = re.compile(r" as (\w+)")
_NAME = re.compile(r"\w+")


@dataclass(frozen=True)
class Mentions:
    """Bare names, and the files whose text has them in a role."""

    bases: dict[str, list[Path]] = field(default_factory=lambda: defaultdict(list))
    """Names in the parentheses of a `class` statement."""
    decorators: dict[str, list[Path]] = field(default_factory=lambda: defaultdict(list))
    functions: dict[str, list[Path]] = field(default_factory=lambda: defaultdict(list))
    """Names of functions, once for each definition."""

    @classmethod
    def of(cls, files: Iterable[Path]) -> Mentions:
        mentions = cls()
        for file in files:
            with contextlib.suppress(OSError):
                mentions.add(file, file.read_text("utf-8", "replace"))
        return mentions

    def defines(self, name: str) -> bool:
        """Whether the package has a function of this name."""
        return name in self.functions

    def add(self, file: Path, text: str) -> None:
        """Note the names in one file."""
        for name in _DEF.findall(text):
            self.functions[name].append(file)
        bases = {name for found in _CLASS.findall(text) for name in _NAME.findall(found)}
        decorators = {name.rpartition(".")[2] for name in _DECORATOR.findall(text)}
        for alias in _ALIAS.finditer(text):
            for names in (bases, decorators):
                if alias[1] in names:
                    names.update(_NAME.findall(text, alias.start() - 80, alias.start())[-1:])
        for name in bases:
            self.bases[name].append(file)
        for name in decorators:
            self.decorators[name].append(file)

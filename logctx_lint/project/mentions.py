"""Which files of a folder mention a name in a role, so that only those are read.

Text, not facts: whoever asks for subclasses or for decorated functions needs all files of a
package, and looking for names costs a tenth of parsing. An answer may name too many files, and is
checked against the facts of those.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Hashable, Sequence
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import Protocol

from logctx_lint.project.trace import Place, Trace
from logctx_lint.source import digest_of

# Each begins with letters, which `re` finds many times faster than the beginning of a line.
_CLASS = re.compile(r"class \w+[^(:\n]*\(([^:]*)\)[ \t]*:")
_DECORATOR = re.compile(r"@([\w.]+)")
_DEF = re.compile(r"def (\w+)")
_ALIAS = re.compile(r" as (\w+)")
_NAME = re.compile(r"\w+")


class Text(Protocol):
    """A file, as far as this module reads it."""

    @property
    def name(self) -> str: ...
    @property
    def path(self) -> Path: ...
    @property
    def digest(self) -> str: ...
    @property
    def text(self) -> str: ...


class Tree(Place):
    """The Python files in a folder; a part is a name in a role.

    `functions` are names that are defined, `bases` those in the parentheses of a `class`
    statement, `decorators` what stands behind an `@`.
    """

    def __init__(self, name: str, texts: Sequence[Text]) -> None:
        super().__init__(name)
        self._texts = texts

    @cached_property
    def _digests(self) -> dict[Path, str]:
        return {text.path: text.digest for text in self._texts}

    @cached_property
    def digest(self) -> str:
        # By names, which are the same wherever the project lies.
        said = "\0".join(f"{text.name} {self._digests[text.path]}" for text in self._texts)
        return digest_of(said.encode("utf-8", "surrogatepass"))

    def agrees(self, path: Path, digest: str) -> bool:
        """Whether this is the text that a file had here."""
        return self._digests.get(path) == digest

    def says(self, part: str) -> str:
        role, _, name = part.partition(" ")
        names = {text.path: text.name for text in self._texts}
        return repr([names[path] for path in self.files(role, name)])

    def files(self, role: str, name: str) -> list[Path]:
        """The files that mention a name, or one that a glob stands for."""
        table = self._mentions[role]
        if not any(character in name for character in "*?["):
            return table.get(name, [])
        return sorted({path for each in table if fnmatchcase(each, name) for path in table[each]})

    @cached_property
    def _mentions(self) -> dict[str, dict[str, list[Path]]]:
        """By role and name."""
        tables: dict[str, dict[str, list[Path]]] = defaultdict(lambda: defaultdict(list))
        for file in self._texts:
            text = file.text
            bases, decorators = _names_used(text)
            names = {"functions": _DEF.findall(text), "bases": bases, "decorators": decorators}
            for role, found in names.items():
                for name in found:
                    tables[role][name].append(file.path)
        return tables


def _names_used(text: str) -> tuple[set[str], set[str]]:
    """The names used as bases and as decorators, with what they are aliases of."""
    bases = {name for found in _CLASS.findall(text) for name in _NAME.findall(found)}
    decorators = {name.rpartition(".")[2] for name in _DECORATOR.findall(text)}
    for alias in _ALIAS.finditer(text):
        for names in (bases, decorators):
            if alias[1] in names:
                names.update(_NAME.findall(text, alias.start() - 80, alias.start())[-1:])
    return bases, decorators


class Mentions:
    """What several folders mention; what is asked for is taken down (see `trace`)."""

    def __init__(self, trees: Sequence[Tree], trace: Trace) -> None:
        self._trees = tuple(trees)
        self._trace = trace

    @property
    def key(self) -> Hashable:
        """The same as long as the folders have the same files with the same texts."""
        return self._trees

    def functions(self, name: str) -> list[Path]:
        """The files that define a function of a name, once for each definition."""
        return self._files("functions", name)

    def bases(self, name: str) -> list[Path]:
        """The files that have a class with a base of a name."""
        return self._files("bases", name)

    def decorators(self, name: str) -> list[Path]:
        """The files that have a decorator of a name, or of one that a glob stands for."""
        return self._files("decorators", name)

    def _files(self, role: str, name: str) -> list[Path]:
        self._trace.used += [tree.part(f"{role} {name}") for tree in self._trees]
        return [path for tree in self._trees for path in tree.files(role, name)]

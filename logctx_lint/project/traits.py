"""What kind of code base a file belongs to, read from the imports of its whole package."""

from __future__ import annotations

import contextlib
import os
import re
from bisect import bisect
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from logctx_lint.project.cache import FactsCache
from logctx_lint.project.modules import Modules, home, package_files
from logctx_lint.project.trace import Place, Trace
from logctx_lint.settings import Framework, Settings, Storage
from logctx_lint.source import Source, Unreadable, digest_of, read_bytes

# Text, not facts: the answer needs every file of the package, and this costs a tenth.
_IMPORTS = {
    # Beginning with letters, they are found many times faster than line by line.
    package: [re.compile(rb"%s[ \t]+%s\b" % (word, package)) for word in (b"import", b"from")]
    for package in (b"twisted", b"asyncio")
}
_ASYNC = re.compile(rb"async def (\w+)")
_INLINE = re.compile(rb"inlineCallbacks\s+def (\w+)")
_AWAITED = re.compile(rb"await (\w+)\(\s*(\w+)\(")
_GATHERING = re.compile(rb"\b(?:gatherResults|DeferredList)\b")
_DEF = re.compile(
    rb"^(?P<inline>[ \t]*@[\w.]*inlineCallbacks[ \t]*\r?\n)?"
    rb"(?P<indent>[ \t]*)(?P<async>async[ \t]+)?def[ \t]+(?P<name>\w+)",
    re.MULTILINE,
)
_THREAD_LOCAL = (b"PreserveLoggingContext", b"make_deferred_yieldable")


@dataclass(frozen=True, slots=True)
class Traits:
    """How the code of one file runs."""

    framework: Framework
    storage: Storage
    gathering: Container[str] = frozenset()
    """The bare names of the package's plain functions that call a gatherer of Deferreds."""
    asynchronous: Container[str] = frozenset()
    """The bare names of the package's asynchronous functions."""
    wrapping: Container[str] = frozenset()
    """The bare names of functions that the package puts around an awaited call of a loop's
    variable: `await protect(callback(...))`."""

    @property
    def uses_twisted(self) -> bool:
        return self.framework is not Framework.ASYNCIO


class Names(Place):
    """Bare names that a package gives to functions of one sort; a part is one name."""

    def __init__(self, name: str, names: frozenset[str], trace: Trace) -> None:
        super().__init__(name)
        self._names = names
        self._trace = trace
        self._digest = digest_of(" ".join(sorted(names)).encode())

    @property
    def digest(self) -> str:
        return self._digest

    def __contains__(self, name: object) -> bool:
        self._trace.used.append(self.part(str(name)))
        return name in self._names

    def says(self, part: str) -> str:
        return str(part in self._names)


@dataclass(frozen=True, slots=True)
class _Either:
    """Names in a file itself, as its text is now, or in its package."""

    own: frozenset[str]
    package: Names

    def __contains__(self, name: object) -> bool:
        return name in self.own or name in self.package


@dataclass(frozen=True, slots=True)
class _Evidence:
    """What one file says, or all files of a package."""

    twisted: bool
    asyncio: bool
    thread_local: bool
    gathering: frozenset[str]
    asynchronous: frozenset[str]
    wrapping: frozenset[str]

    @classmethod
    def of_all(cls, found: Sequence[_Evidence]) -> _Evidence:
        return cls(
            any(each.twisted for each in found),
            any(each.asyncio for each in found),
            any(each.thread_local for each in found),
            frozenset().union(*(each.gathering for each in found)),
            frozenset().union(*(each.asynchronous for each in found)),
            frozenset().union(*(each.wrapping for each in found)),
        )


@dataclass(frozen=True, slots=True)
class _Package:
    evidence: _Evidence
    gathering: Names
    asynchronous: Names
    wrapping: Names


class TraitsDetector:
    """Settings first; then the file's own imports; then its package's."""

    def __init__(self, settings: Settings, modules: Modules | None = None) -> None:
        self._settings = settings
        self._modules = modules or Modules((), FactsCache(None))
        self._packages: dict[str, _Package] = {}
        self._folders: dict[str, _Package] = {}
        self._files: dict[str, _Evidence] = {}

    def of_file(self, source: Source) -> Traits:
        package = self._package(source.path)
        own = self._files.get(source.digest)
        if own is None:
            own = _evidence(source.text.encode("utf-8", "surrogatepass"))
        framework, storage = self._settings.framework, self._settings.storage
        if framework is None:
            framework = _framework(own, package.evidence)
        if storage is None:
            local = package.evidence.thread_local
            storage = Storage.THREAD_LOCAL if local else Storage.CONTEXTVAR
        return Traits(
            framework,
            storage,
            _Either(own.gathering, package.gathering),
            _Either(own.asynchronous, package.asynchronous),
            _Either(own.wrapping, package.wrapping),
        )

    def _package(self, path: Path) -> _Package:
        folder = os.path.dirname(path.absolute())
        if folder not in self._folders:
            root, package = home(path.absolute().parent)
            key = os.path.join(root, *package[:1])
            if key not in self._packages:
                self._packages[key] = self._read(key, package_files(path.absolute()))
            self._folders[folder] = self._packages[key]
        return self._folders[folder]

    def _read(self, folder: str, files: Iterable[Path]) -> _Package:
        each = []
        for file in files:
            with contextlib.suppress(Unreadable):
                data = read_bytes(file)
                each.append(_evidence(data))
                self._files[digest_of(data)] = each[-1]
        found = _Evidence.of_all(each)
        place = self._modules.places.name_of(folder)
        trace = self._modules.trace
        package = _Package(
            found,
            Names(f"{place} gathering", found.gathering, trace),
            Names(f"{place} asynchronous", found.asynchronous, trace),
            Names(f"{place} wrapping", found.wrapping, trace),
        )
        self._modules.places.add(package.gathering)
        self._modules.places.add(package.asynchronous)
        self._modules.places.add(package.wrapping)
        return package


def _framework(own: _Evidence, package: _Evidence) -> Framework:
    if own.twisted:
        return Framework.BOTH if own.asyncio else Framework.TWISTED
    if own.asyncio:
        # A file that is all asyncio lives with asyncio's rules in any company.
        return Framework.ASYNCIO
    if package.twisted:
        return Framework.BOTH if package.asyncio else Framework.TWISTED
    return Framework.ASYNCIO


def _evidence(data: bytes) -> _Evidence:
    # Most files mention none of these, which is quickly seen.
    gathers = b"gatherResults" in data or b"DeferredList" in data
    return _Evidence(
        _imports(b"twisted", data),
        _imports(b"asyncio", data),
        any(name in data for name in _THREAD_LOCAL),
        frozenset(_gathering_functions(data)) if gathers else frozenset(),
        frozenset(name.decode() for name in (*_ASYNC.findall(data), *_INLINE.findall(data))),
        frozenset(
            outer.decode()
            for outer, inner in _AWAITED.findall(data)
            if b"for %s in " % inner in data
        ),
    )


def _imports(package: bytes, data: bytes) -> bool:
    return package in data and any(
        not data[data.rfind(b"\n", 0, found.start()) + 1 : found.start()].strip(b" \t")
        for pattern in _IMPORTS[package]
        for found in pattern.finditer(data)
    )


def _gathering_functions(data: bytes) -> Iterator[str]:
    """The plain functions that mention a gatherer, found by indentation."""
    defs: list[re.Match[bytes]] | None = None
    for mention in _GATHERING.finditer(data):
        if defs is None:
            defs = list(_DEF.finditer(data))
        line = data[data.rfind(b"\n", 0, mention.start()) + 1 : mention.start()]
        indent = len(line) - len(line.lstrip())
        before = defs[: bisect(defs, mention.start(), key=lambda each: each.start())]
        around = next((each for each in reversed(before) if len(each["indent"]) < indent), None)
        if around and not around["async"] and not around["inline"]:
            yield around["name"].decode()

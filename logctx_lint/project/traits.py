"""What kind of code base a file belongs to, read from the imports of its whole package."""

from __future__ import annotations

import contextlib
import re
from bisect import bisect
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from logctx_lint.project.modules import module_name, package_files
from logctx_lint.settings import Framework, Settings, Storage

# Text, not facts: the answer needs every file of the package, and this costs a tenth.
_IMPORTS = re.compile(rb"^[ \t]*(?:from|import)[ \t]+(twisted|asyncio)\b", re.MULTILINE)
_ASYNC = re.compile(rb"async def (\w+)")
_INLINE = re.compile(rb"inlineCallbacks\s+def (\w+)")
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
    gathering: frozenset[str] = frozenset()
    """The bare names of the package's plain functions that call a gatherer of Deferreds."""
    asynchronous: frozenset[str] = frozenset()
    """The bare names of the package's asynchronous functions."""

    @property
    def uses_twisted(self) -> bool:
        return self.framework is not Framework.ASYNCIO


@dataclass(frozen=True, slots=True)
class _Evidence:
    twisted: bool
    asyncio: bool
    thread_local: bool
    gathering: frozenset[str] = frozenset()
    asynchronous: frozenset[str] = frozenset()

    def __or__(self, other: _Evidence) -> _Evidence:
        return _Evidence(
            self.twisted or other.twisted,
            self.asyncio or other.asyncio,
            self.thread_local or other.thread_local,
            self.gathering | other.gathering,
            self.asynchronous | other.asynchronous,
        )


class TraitsDetector:
    """Settings first; then the file's own imports; then its package's."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._packages: dict[tuple[Path, str], _Evidence] = {}

    def of_file(self, path: Path, text: str) -> Traits:
        own = _evidence(text.encode("utf-8", "surrogatepass"))
        framework, storage = self._settings.framework, self._settings.storage
        if framework is None:
            framework = self._framework(path, own)
        if storage is None:
            local = self._package(path).thread_local
            storage = Storage.THREAD_LOCAL if local else Storage.CONTEXTVAR
        package = self._package(path)
        names = package.asynchronous
        if not own.asynchronous <= names:
            names |= own.asynchronous  # The file is not on disk yet, or says more than there.
        return Traits(framework, storage, package.gathering | own.gathering, names)

    def _framework(self, path: Path, own: _Evidence) -> Framework:
        if own.twisted:
            return Framework.BOTH if own.asyncio else Framework.TWISTED
        if own.asyncio:
            # A file that is all asyncio lives with asyncio's rules in any company.
            return Framework.ASYNCIO
        package = self._package(path)
        if package.twisted:
            return Framework.BOTH if package.asyncio else Framework.TWISTED
        return Framework.ASYNCIO

    def _package(self, path: Path) -> _Evidence:
        root, name = module_name(path.absolute())
        key = (root, name.partition(".")[0])
        if key not in self._packages:
            found = _Evidence(False, False, False)
            for file in package_files(path.absolute()):
                with contextlib.suppress(OSError):
                    found |= _evidence(file.read_bytes())
            self._packages[key] = found
        return self._packages[key]


def _evidence(data: bytes) -> _Evidence:
    # Most files mention none of these, which is quickly seen.
    mentions = b"twisted" in data or b"asyncio" in data
    imported = set(_IMPORTS.findall(data)) if mentions else set()
    gathers = b"gatherResults" in data or b"DeferredList" in data
    return _Evidence(
        b"twisted" in imported,
        b"asyncio" in imported,
        any(name in data for name in _THREAD_LOCAL),
        frozenset(_gathering_functions(data)) if gathers else frozenset(),
        frozenset(name.decode() for name in (*_ASYNC.findall(data), *_INLINE.findall(data))),
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

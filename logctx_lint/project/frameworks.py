"""Framework detection: asyncio or Twisted, and where log contexts are kept."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass

from logctx_lint.config.known_packages import HOMES_OF_LOG_CONTEXTS
from logctx_lint.config.settings import Framework, Settings, Storage
from logctx_lint.config.vocabulary import Role
from logctx_lint.incremental.dependencies import Trace
from logctx_lint.project.facts_cache import FactsCache
from logctx_lint.project.modules import Modules
from logctx_lint.project.text_index import OTHER_LOOP, THREAD_LOCAL, Asked
from logctx_lint.syntax.source import Source


@dataclass(frozen=True, slots=True)
class Traits:
    """How the code of one file runs."""

    framework: Framework
    storage: Storage
    prevailing: Framework = Framework.BOTH
    """Of a file that may be either: what most files of its package import."""
    gathering: Container[str] = frozenset()
    """The bare names of the package's plain functions that call a gatherer of Deferreds."""
    asynchronous: Container[str] = frozenset()
    """The bare names of the package's asynchronous functions."""
    generating: Container[str] = frozenset()
    """The bare names of the package's plain functions that yield."""
    wrapping: Container[str] = frozenset()
    """The bare names of functions that the package puts around an awaited call of a loop's
    variable: `await protect(callback(...))`."""
    has_log_contexts: bool = False
    """The package keeps log contexts, which work that nobody waits for leaks."""
    on_other_loop: bool = False
    """The package takes its cancelled error from a library that is neither asyncio's nor Twisted's,
    and imports neither of the two: an event loop of which nothing is known runs it."""
    is_of_trio: bool = False
    """The file imports trio, and neither asyncio nor Twisted."""
    uses_runtime: bool = False
    """The package has the reference runtime, or its settings name it."""

    @property
    def uses_twisted(self) -> bool:
        return self.framework is not Framework.ASYNCIO


@dataclass(frozen=True, slots=True)
class Names:
    """The names that a package mentions in one role; which were asked for is taken down."""

    asked: Asked
    trace: Trace

    def __contains__(self, name: object) -> bool:
        part, is_there = self.asked[name]  # type: ignore[index]
        self.trace.used.append(part)
        return is_there


_ROLES = ("gathering", "asynchronous", "generating", "wrapping", "imports", "thread-local")


class TraitsDetector:
    """Settings first; then the file's own imports; then its package's."""

    def __init__(self, settings: Settings, modules: Modules | None = None) -> None:
        self._settings = settings
        self._modules = modules or Modules((), FactsCache(None))

        self._names_runtime = any(
            name.startswith(f"{_RUNTIME}.")
            for names in settings.vocabulary.values()
            for name in names
        )

    def of_file(self, source: Source) -> Traits:
        path = source.path.absolute()
        tree = self._modules.beside(path)
        gathering, asynchronous, generating, wrapping, imports, thread_local = (
            Names(tree.asked(role), self._modules.trace) for role in _ROLES
        )
        framework, storage = self._settings.framework, self._settings.storage
        own = tree.named_in(str(path), "imports")
        if framework is None:
            framework = _framework(own, imports)
        prevailing = framework
        if self._settings.framework is None and framework is Framework.BOTH:
            outnumbered = "twisted>asyncio" in imports
            prevailing = Framework.TWISTED if outnumbered else Framework.ASYNCIO
        if storage is None:
            local = any(name in thread_local for name in THREAD_LOCAL)
            storage = Storage.THREAD_LOCAL if local else Storage.CONTEXTVAR
        has_contexts = (
            storage is Storage.THREAD_LOCAL
            or bool(self._settings.vocabulary.keys() & set(_OF_CONTEXTS))
            or any(name in imports for name in HOMES_OF_LOG_CONTEXTS)
        )
        on_other_loop = (
            self._settings.framework is None
            and OTHER_LOOP in imports
            and not any(name in imports for name in ("asyncio", "twisted"))
        )
        uses_runtime = self._names_runtime or _RUNTIME in imports
        return Traits(
            framework,
            storage,
            prevailing,
            gathering,
            asynchronous,
            generating,
            wrapping,
            has_contexts,
            on_other_loop,
            "trio" in own and not any(name in own for name in ("asyncio", "twisted")),
            uses_runtime,
        )


_RUNTIME = "logctx_lint"
_OF_CONTEXTS = (Role.CONTEXT_MANAGER, Role.CONTEXT_SETTER, Role.SENTINEL_GUARD)


def _framework(own: Container[str], package: Container[str]) -> Framework:
    if "twisted" in own:
        return Framework.BOTH if "asyncio" in own else Framework.TWISTED
    if "asyncio" in own:
        # A file that is all asyncio lives with asyncio's rules in any company.
        return Framework.ASYNCIO
    if "twisted" in package:
        return Framework.BOTH if "asyncio" in package else Framework.TWISTED
    return Framework.ASYNCIO

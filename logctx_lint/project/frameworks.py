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
        own = tree.named_in(str(path), "imports")
        chosen = self._settings.framework
        framework = chosen or _framework(own, imports)
        storage = self._settings.storage or _storage(thread_local)
        return Traits(
            framework,
            storage,
            _prevailing(framework, imports) if chosen is None else framework,
            gathering,
            asynchronous,
            generating,
            wrapping,
            storage is Storage.THREAD_LOCAL or self._has_log_contexts(imports),
            chosen is None and OTHER_LOOP in imports and not _imports_known_loop(imports),
            "trio" in own and not _imports_known_loop(own),
            self._names_runtime or _RUNTIME in imports,
        )

    def _has_log_contexts(self, imports: Container[str]) -> bool:
        """Whether the settings or imports speak of log contexts."""
        return bool(self._settings.vocabulary.keys() & set(_OF_CONTEXTS)) or any(
            name in imports for name in HOMES_OF_LOG_CONTEXTS
        )


_RUNTIME = "logctx_lint"
_OF_CONTEXTS = (Role.CONTEXT_MANAGER, Role.CONTEXT_SETTER, Role.SENTINEL_GUARD)


def _storage(thread_local: Container[str]) -> Storage:
    is_local = any(name in thread_local for name in THREAD_LOCAL)
    return Storage.THREAD_LOCAL if is_local else Storage.CONTEXTVAR


def _prevailing(framework: Framework, imports: Container[str]) -> Framework:
    """Of two frameworks the one that more files of the package import."""
    if framework is not Framework.BOTH:
        return framework
    return Framework.TWISTED if "twisted>asyncio" in imports else Framework.ASYNCIO


def _imports_known_loop(imports: Container[str]) -> bool:
    return "asyncio" in imports or "twisted" in imports


def _framework(own: Container[str], package: Container[str]) -> Framework:
    if "twisted" in own:
        return Framework.BOTH if "asyncio" in own else Framework.TWISTED
    if "asyncio" in own:
        # A file that is all asyncio lives with asyncio's rules in any company.
        return Framework.ASYNCIO
    if "twisted" in package:
        return Framework.BOTH if "asyncio" in package else Framework.TWISTED
    return Framework.ASYNCIO

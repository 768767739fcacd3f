"""What kind of code base a file belongs to, read from the imports of its whole package."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from logctx_lint.project.modules import module_name, package_files
from logctx_lint.settings import Framework, Settings, Storage

# Text, not facts: the answer needs every file of the package, and this costs a tenth.
_IMPORTS = re.compile(rb"^[ \t]*(?:from|import)[ \t]+(twisted|asyncio)\b", re.MULTILINE)
_THREAD_LOCAL = re.compile(rb"\b(?:PreserveLoggingContext|make_deferred_yieldable)\b")


@dataclass(frozen=True, slots=True)
class Traits:
    """How the code of one file runs."""

    framework: Framework
    storage: Storage

    @property
    def uses_twisted(self) -> bool:
        return self.framework is not Framework.ASYNCIO


@dataclass(frozen=True, slots=True)
class _Evidence:
    twisted: bool
    asyncio: bool
    thread_local: bool


class TraitsDetector:
    """Settings first; then the file's own imports; then its package's."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._packages: dict[tuple[Path, str], _Evidence] = {}

    def of_file(self, path: Path, text: str) -> Traits:
        framework, storage = self._settings.framework, self._settings.storage
        if framework is None:
            framework = self._framework(path, text)
        if storage is None:
            local = self._package(path).thread_local
            storage = Storage.THREAD_LOCAL if local else Storage.CONTEXTVAR
        return Traits(framework, storage)

    def _framework(self, path: Path, text: str) -> Framework:
        own = _evidence(text.encode("utf-8", "surrogatepass"))
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
                try:
                    more = _evidence(file.read_bytes())
                except OSError:
                    continue
                found = _Evidence(
                    found.twisted or more.twisted,
                    found.asyncio or more.asyncio,
                    found.thread_local or more.thread_local,
                )
                if found.twisted and found.asyncio and found.thread_local:
                    break
            self._packages[key] = found
        return self._packages[key]


def _evidence(data: bytes) -> _Evidence:
    imported = set(_IMPORTS.findall(data))
    return _Evidence(
        b"twisted" in imported, b"asyncio" in imported, bool(_THREAD_LOCAL.search(data))
    )

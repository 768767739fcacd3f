"""A run over many files: check them, fix them or show what fixing would change."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path

from logctx_lint import processes
from logctx_lint.config.codes import active_codes
from logctx_lint.config.settings import Settings
from logctx_lint.engine import garbage
from logctx_lint.engine.linter import Linter
from logctx_lint.findings import Finding
from logctx_lint.fixes import apply
from logctx_lint.fixes.apply import Fixed
from logctx_lint.syntax.source import Source, Unreadable

_SOON = 1.0
"""CPU seconds of work that are not worth starting other processes for."""
# Files that a worker is handed at a time: neighbours, which know the same other files.
_CHUNK = 16


class Mode(Enum):
    """What is done with each file."""

    CHECK = "check"
    FIX = "fix"
    DIFF = "diff"


@dataclass(frozen=True, slots=True)
class Task:
    """What every file of a run is put through."""

    settings: Settings
    mode: Mode = Mode.CHECK
    unsafe: bool = False
    """Are unsafe fixes wanted?"""
    use_cache: bool = True
    jobs: int = 1
    """Processes that share the work."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one file."""

    path: Path
    findings: Sequence[Finding]
    """What is to be reported: after fixing, what is left."""
    source: Source | None = None
    """The text that the findings are about; None when the file could not be read."""
    fixed: int = 0
    """How many fixes were applied."""
    patch: str = ""
    """What fixing would change, for Mode.DIFF."""
    left_alone: str = ""
    """Why the fixed text was not written."""
    key: bytes = field(default=b"", compare=False)
    """What was found in the file is kept by this."""


class Runner:
    """Puts files through a task, one by one."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._linter = linter(task.settings, use_cache=task.use_cache, jobs=task.jobs)

    def recall(self, paths: Sequence[Path]) -> dict[Path, Outcome]:
        """The outcomes that are known from an earlier run."""
        return {
            path: Outcome(path, found.findings, found.source)
            for path, found in self._linter.recall(paths).items()
            if self._task.mode is Mode.CHECK or not found.findings
        }

    def expect(self, paths: Iterable[Path]) -> None:
        """Say which files will come."""
        self._linter.expect(paths)

    def keep(self, paths: Sequence[Path], outcomes: Iterable[Outcome]) -> None:
        """Keep the outcomes of a run over `paths` for the next."""
        if self._task.mode is Mode.CHECK:
            self._linter.keep(paths, outcomes)

    def file(self, path: Path) -> Outcome:
        """Put a file on disk through the task; with Mode.FIX it is rewritten."""
        try:
            source = Source.read(path)
        except Unreadable as error:
            return self.unreadable(path, error)
        outcome, after = self.text(source)
        if outcome.fixed:
            try:
                apply.write(source, after, self._task.settings.root)
            except apply.NotWritten as error:
                return replace(_outcome(self._checked(source)), left_alone=str(error))
        return outcome

    def text(self, source: Source) -> tuple[Outcome, Source]:
        """Put a text through the task, writing nothing; also gives what became of the text."""
        if self._task.mode is Mode.CHECK:
            outcome = _outcome(self._checked(source))
            return replace(outcome, key=self._linter.key(source.path)), source
        fixed = apply.fix(source, self._linter.check, unsafe=self._task.unsafe)
        if self._task.mode is Mode.FIX:
            return _outcome(fixed), fixed.source
        before = self._checked(source)
        patch = apply.diff(source, fixed.source)
        patch += "".join(_alternatives(before, unsafe=self._task.unsafe))
        return replace(_outcome(before), patch=patch), source

    def unreadable(self, path: Path, error: Unreadable) -> Outcome:
        """The outcome of a file that could not be read or decoded."""
        return Outcome(path, self._linter.unreadable(path, str(error), error.line))

    def _checked(self, source: Source) -> Fixed:
        return Fixed(source, self._linter.check(source), ())


def run(task: Task, paths: Sequence[Path], jobs: int = 1) -> Iterator[Outcome]:
    """Put files through a task; the outcomes come in the order of `paths`.

    If it takes long, `jobs` processes share what is left.
    """
    if task.mode is Mode.FIX:
        for folder in {path.parent for path in paths}:
            apply.remove_strays(folder)
    runner = Runner(replace(task, jobs=jobs))
    known = runner.recall(paths)
    new = [path for path in paths if path not in known]
    runner.expect(new)
    outcomes = _checked(task, runner, new, jobs)
    checked = []
    for path in paths:
        outcome = known.get(path)
        if outcome is None:
            outcome = next(outcomes)
            checked.append(outcome)
        yield outcome
    runner.keep(paths, checked)


def _checked(task: Task, runner: Runner, paths: Sequence[Path], jobs: int) -> Iterator[Outcome]:
    started = time.process_time()
    with garbage.collection_off():
        for done, path in enumerate(paths):
            workers = min(jobs, -(-(len(paths) - done) // _CHUNK))
            if workers > 1 and time.process_time() - started > _SOON:
                global _runner
                # Where processes are forked, they begin with all that is known here.
                _runner = runner
                garbage.set_aside()
                try:
                    with processes.pool(workers, _start_worker, (task,)) as pool:
                        yield from pool.imap(_in_worker, paths[done:], _CHUNK)
                finally:
                    _runner = None
                return
            yield runner.file(path)


def linter(settings: Settings, *, use_cache: bool, jobs: int = 1) -> Linter:
    """The engine, ready for a run with these settings."""
    # Not needed for usage errors.
    from logctx_lint.engine.engine import Engine

    return Linter(
        Engine(settings, use_cache=use_cache, jobs=jobs), settings, active_codes(settings.enable)
    )


_runner: Runner | None = None
"""Of a worker, or for those that are about to be forked."""


def _start_worker(task: Task) -> None:
    global _runner
    gc.disable()
    # A process that is not forked begins with nothing.
    _runner = _runner or Runner(task)


def _in_worker(path: Path) -> Outcome:
    assert _runner is not None
    return _runner.file(path)


def _outcome(fixed: Fixed) -> Outcome:
    return Outcome(fixed.source.path, fixed.findings, fixed.source, len(fixed.applied))


def _alternatives(before: Fixed, *, unsafe: bool) -> Iterable[str]:
    """The fixes that are not applied, as comments: `patch` must not take them."""
    for finding in before.findings:
        chosen = apply.applicable(finding, unsafe=unsafe)
        for fix in finding.fixes:
            text, _ = apply.apply(before.source.text, [fix])
            changed = apply.diff(before.source, replace(before.source, text=text))
            if fix is not chosen and changed:
                place = f"{finding.path}:{finding.span.line}:{finding.span.column + 1}"
                title = f"{fix.title} ({fix.applicability.value})"
                yield f"# {place}: {finding.code}: not applied: {title}\n"
                yield from (f"# {line}\n" for line in changed.splitlines())

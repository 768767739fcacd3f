"""Runs Synapse's own tests of log contexts and cancellation with its functions replaced by ours.

Usage: ``python bench/synapse_suite.py [--work DIR] [--own] [--verbose] [MODULE ...]``

Fetches the source distribution of a pinned Synapse into the work folder, makes a virtual
environment there with the released wheel, and runs the tests in it, once with Synapse's functions
(``--own``) or with the reference runtime's. Synapse is AGPL: nothing of it is kept in this
repository. A test that fails with Synapse's own functions is left out of the count.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import subprocess
import sys
import tarfile
import venv
from collections.abc import Iterable
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parents[1]
VERSION = "1.157.1"
CORE = ("tests.util.test_logcontext", "tests.util.test_async_helpers")
EXTENDED = (
    *CORE,
    "tests.util.test_linearizer",
    "tests.util.test_rwlock",
    "tests.util.test_background_queue",
    "tests.util.test_batching_queue",
    "tests.util.test_clock",
    "tests.util.test_file_consumer",
    "tests.util.test_ratelimitutils",
    "tests.util.caches.test_cached_call",
    "tests.util.caches.test_deferred_cache",
    "tests.util.caches.test_descriptors",
    "tests.util.caches.test_response_cache",
    "tests.metrics.test_background_process_metrics",
    "tests.test_distributor",
)

# Where Synapse has what the runtime has too.
REPLACED = {
    "synapse.logging.context": (
        "SENTINEL_CONTEXT",
        "_Sentinel",
        "ContextResourceUsage",
        "LoggingContext",
        "LoggingContextFilter",
        "PreserveLoggingContext",
        "current_context",
        "set_current_context",
        "nested_logging_context",
        "preserve_fn",
        "run_in_background",
        "run_coroutine_in_background",
        "make_deferred_yieldable",
        "defer_to_thread",
        "defer_to_threadpool",
    ),
    "synapse.util.async_helpers": (
        "ObservableDeferred",
        "Linearizer",
        "ReadWriteLock",
        "concurrently_execute",
        "delay_cancellation",
        "gather_optional_coroutines",
        "maybe_awaitable",
        "stop_cancellation",
        "timeout_deferred",
        "yieldable_gather_results",
    ),
    "synapse.util": ("unwrapFirstError",),
    "synapse.util.cancellation": ("cancellable", "is_function_cancellable"),
    "synapse.metrics.background_process_metrics": ("run_as_background_process",),
}


def prepare(work: Path) -> tuple[Path, Path]:
    """The interpreter of the virtual environment, and the folder of Synapse's tests."""
    work.mkdir(parents=True, exist_ok=True)
    environment = work / "venv"
    python = environment / "bin" / "python"
    if not python.exists():
        venv.create(environment, with_pip=True)
        packages = (f"matrix-synapse=={VERSION}", "parameterized", "setuptools")
        run(python, "-m", "pip", "install", "-q", *packages)
    source = work / f"matrix_synapse-{VERSION}"
    if not source.exists():
        archive = work / f"{source.name}.tar.gz"
        if not archive.exists():
            only_source = ("--no-deps", "--no-binary", "matrix-synapse", "-d", work)
            run(python, "-m", "pip", "download", *only_source, f"matrix-synapse=={VERSION}")
        with tarfile.open(archive) as opened:
            members = [m for m in opened if m.name.startswith(f"{source.name}/tests/")]
            opened.extractall(work, members)
    return python, source


def run(*command: object) -> None:
    subprocess.run([str(part) for part in command], check=True)


# --- In the virtual environment


def replace() -> list[str]:
    """Put the runtime's functions in the place of Synapse's; returns what it does not have."""
    from logctx_lint import runtime
    from logctx_lint.runtime import context, deferreds, storage

    missing = []
    for module_name, names in REPLACED.items():
        module = importlib.import_module(module_name)
        for name in names:
            ours = getattr(runtime, name, None) or getattr(deferreds, name, None)
            if name == "_Sentinel":
                ours = storage.Sentinel
            elif name == "SENTINEL_CONTEXT":
                ours = runtime.SENTINEL_CONTEXT
            if ours is None:
                missing.append(name)
                continue
            substitute(getattr(module, name), name, ours)

    synapse_context = importlib.import_module("synapse.logging.context")
    vars(context)["logcontext_error"] = lambda msg: synapse_context.logcontext_error(msg)
    return missing


def substitute(theirs: object, name: str, ours: object) -> None:
    """Everywhere: other modules have imported it by its name."""
    for module_name, module in list(sys.modules.items()):
        of_synapse = module_name.split(".")[0] in ("synapse", "tests")
        if of_synapse and vars(module).get(name) is theirs:
            setattr(module, name, ours)


def run_tests(modules: Iterable[str]) -> dict[str, str]:
    """What became of each test: ``ok``, ``skipped``, or the last line of its failure."""
    from twisted.trial import reporter, runner

    base: Any = reporter.Reporter
    make_runner: Any = runner.TrialRunner
    outcomes: dict[str, str] = {}

    class Reporter(base):  # type: ignore[misc]
        def addSuccess(self, test: Any) -> None:
            super().addSuccess(test)
            outcomes.setdefault(test.id(), "ok")

        def addError(self, test: Any, error: Any) -> None:
            super().addError(test, error)
            outcomes[test.id()] = described(error)

        def addFailure(self, test: Any, error: Any) -> None:
            super().addFailure(test, error)
            outcomes[test.id()] = described(error)

        def addSkip(self, test: Any, reason: Any) -> None:
            super().addSkip(test, reason)
            outcomes[test.id()] = "skipped"

    def described(error: Any) -> str:
        value = getattr(error, "value", None) or (error[1] if isinstance(error, tuple) else error)
        return f"{type(value).__name__}: {value}".splitlines()[0][:200]

    loader = runner.TestLoader()
    suite = loader.loadByNames(list(modules))
    trial = make_runner(Reporter, workingDirectory="_trial_temp")
    trial.stream = open(os.devnull, "w")  # noqa: SIM115 - for as long as the process runs
    trial.run(suite)
    return outcomes


def work_in_environment(modules: list[str], own: bool, output: str) -> None:
    missing = [] if own else replace()
    outcomes = run_tests(modules)
    Path(output).write_text(json.dumps({"missing": missing, "outcomes": outcomes}))


# --- Outside of it


def results(work: Path, python: Path, source: Path, modules: list[str], own: bool) -> Any:
    output = work / ("own.json" if own else "ours.json")
    output.unlink(missing_ok=True)
    command = [python, __file__, "--inside", output, *(["--own"] if own else []), *modules]
    environment = dict(os.environ, PYTHONPATH=f"{source}{os.pathsep}{HERE}")
    done = subprocess.run(
        [str(part) for part in command], cwd=work, env=environment, timeout=600, check=False
    )
    if not output.exists():
        raise SystemExit(f"the tests did not run: {done.returncode}")
    return json.loads(output.read_text())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--work", type=Path, default=HERE / ".cache" / "synapse")
    parser.add_argument("--own", action="store_true", help="run Synapse's own functions only")
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    parser.add_argument("modules", nargs="*")
    options = parser.parse_args()
    if options.inside:
        work_in_environment(options.modules, options.own, options.inside)
        return
    work = options.work.resolve()
    python, source = prepare(work)
    modules = options.modules or list(EXTENDED)
    theirs = results(work, python, source, modules, own=True)["outcomes"]
    sound = {test for test, outcome in theirs.items() if outcome == "ok"}
    print(f"with Synapse's own functions {len(sound)} of {len(theirs)} pass")
    if options.own:
        print(*(f"{test}: {theirs[test]}" for test in sorted(set(theirs) - sound)), sep="\n")
        return
    ours = results(work, python, source, modules, own=False)
    outcomes = ours["outcomes"]
    print("not replaced, for we have none:", ", ".join(ours["missing"]) or "-")
    for test in sorted(sound):
        if outcomes.get(test) != "ok":
            print(f"{test}: {outcomes.get(test, 'did not run')}")
    for title, chosen in (("core", CORE), ("all", tuple(modules))):
        counted = [test for test in sound if test.startswith(tuple(f"{m}." for m in chosen))]
        passed = sum(outcomes.get(test) == "ok" for test in counted)
        print(f"{title}: {passed} of {len(counted)} pass")


if __name__ == "__main__":
    main()

"""Where the time of a check goes: a profile by stage, by looking at the stack a hundred times a
second.

Usage: ``python bench/stages.py FOLDER`` in the folder that the package to check lies in.
"""

from __future__ import annotations

import argparse
import signal
import time
from collections import Counter
from pathlib import Path
from types import FrameType

import logctx_lint
from logctx_lint.config.settings import Settings
from logctx_lint.engine import runner
from logctx_lint.engine.file_discovery import python_files

_HOME = str(Path(logctx_lint.__file__).parent)
_INTERVAL = 0.01
_ASKED = ("project/", "inference/", "callgraph/", "incremental/")
"""Where the stages that a rule asks are at home."""
_STAGES = (
    # The first that fits a function on the stack, from the innermost outwards.
    ("facts of modules", "project/files.py", "learn"),
    ("bodies of functions, parsed when asked for", "project/modules.py", "parse_function"),
    ("kinds of code base", "project/frameworks.py", ""),
    ("one walk over each unit", "analysis/units.py", "by_kind"),
    ("decisions on ast", "rules/", "check"),
    ("screens", "rules/", "screen"),
    ("parse", "syntax/source.py", "parse"),
    ("noqa comments", "suppression/noqa.py", "with_noqa"),
    ("imports of this program", "engine/rule_runner.py", "<module>"),
    ("results kept", "engine/findings_cache.py", ""),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    settings = Settings(root=Path.cwd())
    files = list(python_files([options.folder], (), settings.root))
    lines = sum(path.read_bytes().count(b"\n") for path in files)
    found: Counter[tuple[str, str]] = Counter()

    def look(_: int, frame: FrameType | None) -> None:
        found[_stage(frame)] += 1

    signal.signal(signal.SIGPROF, look)
    signal.setitimer(signal.ITIMER_PROF, _INTERVAL, _INTERVAL)
    started = time.process_time()
    for _ in runner.run(runner.Task(settings, use_cache=False), files):
        pass
    signal.setitimer(signal.ITIMER_PROF, 0)
    spent = time.process_time() - started
    print(f"{len(files)} files, {lines} lines, {spent:.1f} CPU s\n")
    print("| stage | share | ms for 1,000 lines |\n|---|---|---|")
    total = sum(found.values())
    for (stage, who), count in sorted(found.items(), key=lambda each: -each[1]):
        share = count / total
        name = f"{stage}: {who}" if who else stage
        print(f"| {name} | {share:.1%} | {share * spent / lines * 1e6:.2f} |")


def _stage(frame: FrameType | None) -> tuple[str, str]:
    """The stage that a stack is in; of screens and rules, also whether the resolver is asked."""
    asks = False
    while frame is not None:
        file, name = frame.f_code.co_filename, frame.f_code.co_name
        if file.startswith(_HOME):
            file = file[len(_HOME) + 1 :].replace("\\", "/")
            for stage, where, function in _STAGES:
                if file.startswith(where) and function in ("", name):
                    by_whom = "the resolver" if asks else "the rules themselves"
                    return stage, by_whom if stage in (
                        "screens",
                        "visitors",
                        "decisions on ast",
                    ) else ""
            asks = asks or file.startswith(_ASKED)
        frame = frame.f_back
    return "the rest", ""


if __name__ == "__main__":
    main()

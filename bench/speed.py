"""How much time and memory a run takes, beside other tools on the same code.

Makes its own virtual environments, once, in ``.cache/speed`` (flake8-async and mypy in an
environment slow down every flake8 run there). All commands run in turn, several rounds of them, so
that what else the machine does falls on all alike; figures are medians, and ratios tell more than
seconds. Usage: ``python bench/speed.py CODE [--rounds 3] [--only flake8,check]``, where CODE is a
folder that holds the package to check, such as an unpacked wheel of matrix-synapse.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import time
import venv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
ENVIRONMENTS = ROOT / ".cache" / "speed"
CACHE = ".logctx_cache"
_NEEDS = {
    "flake8": ["flake8"],
    "ours": [str(ROOT)],
    "async": ["flake8-async", "flake8"],
    "others": ["mypy", "ruff", "ty"],
}


@dataclass(frozen=True)
class Cost:
    cpu: float
    """Seconds of all processes of the run."""
    wall: float
    memory: int
    """Megabytes of the largest process."""


@dataclass(frozen=True)
class Measured:
    """A command, and what is done before each run of it."""

    name: str
    command: Sequence[str]
    prepare: Callable[[Path], None] = lambda _: None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("code", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", help="names, or parts of names, with commas")
    parser.add_argument("--without", default="", help="likewise, what takes too long")
    options = parser.parse_args()
    wanted = [part for part in options.only.split(",") if part]
    unwanted = [part for part in options.without.split(",") if part]
    folder = _copy(options.code)
    runs = [
        each
        for each in _runs(folder)
        if _is_wanted(each.name, wanted) and not any(part in each.name for part in unwanted)
    ]
    costs: dict[str, list[Cost]] = {each.name: [] for each in runs}
    for number in range(options.rounds):
        for each in runs:
            each.prepare(folder)
            costs[each.name].append(_run(each.command, folder))
            print(f"round {number + 1}: {each.name}: {costs[each.name][-1]}", file=sys.stderr)
    _report({name: _median(found) for name, found in costs.items()})


def _is_wanted(name: str, wanted: list[str]) -> bool:
    return not wanted or any(part in name for part in wanted)


def _copy(code: Path) -> Path:
    """A copy of the code that may be changed."""
    folder = ENVIRONMENTS / "code"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(code, folder, ignore=shutil.ignore_patterns(".*", "*.dist-info"))
    return folder


def _runs(folder: Path) -> list[Measured]:
    package = next(path.parent.name for path in sorted(folder.glob("*/__init__.py")))
    flake8 = ["--isolated", "--exit-zero", "-q", "-j1", package]
    check = [_program("ours", "logctx-lint"), "check", "-q", "--exit-zero", package]
    mypy = [_program("others", "mypy"), "--ignore-missing-imports", "--follow-imports=normal"]
    return [
        Measured("flake8", [_program("flake8", "flake8"), *flake8]),
        Measured("flake8, installed", [_program("ours", "flake8"), "--ignore=LCX", *flake8]),
        Measured("flake8 with LCX, cold", [_program("ours", "flake8"), *flake8], _without_cache),
        Measured("flake8 with LCX, warm", [_program("ours", "flake8"), *flake8]),
        Measured("flake8-async", [_program("async", "flake8"), *flake8]),
        Measured("check, cold, one process", [*check, "--jobs=1"], _without_cache),
        Measured("check, cold", check, _without_cache),
        Measured("check, unchanged", check),
        Measured("check, one file changed", check, _change(package)),
        Measured("check, a hub changed", check, _change(package, hub=True)),
        Measured("mypy, cold", [*mypy, package], _without_mypy_cache),
        Measured("mypy, unchanged", [*mypy, package]),
        Measured("ty", [_program("others", "ty"), "check", "--exit-zero", "-qq", package]),
        Measured(
            "ruff's ASYNC rules",
            [_program("others", "ruff"), "check", "--isolated", "--no-cache", "--exit-zero", "-q",
             "--select=ASYNC", package],
        ),
    ]  # fmt: skip


def _program(environment: str, name: str) -> str:
    folder = ENVIRONMENTS / environment
    if not folder.exists():
        venv.create(folder, with_pip=True)
        pip = [str(folder / "bin" / "pip"), "install", "-q", *_NEEDS[environment]]
        subprocess.run(pip, check=True)
    elif environment == "ours":
        # This very version.
        pip = [str(folder / "bin" / "pip"), "install", "-q", "--no-deps", str(ROOT)]
        if name == "logctx-lint":
            subprocess.run(pip, check=True)
    return str(folder / "bin" / name)


def _without_cache(folder: Path) -> None:
    shutil.rmtree(folder / CACHE, ignore_errors=True)


def _without_mypy_cache(folder: Path) -> None:
    shutil.rmtree(folder / ".mypy_cache", ignore_errors=True)


def _change(package: str, *, hub: bool = False) -> Callable[[Path], None]:
    """Add a function to the largest file, or to the one that is imported most."""

    def change(folder: Path) -> None:
        files = sorted((folder / package).rglob("*.py"))
        chosen = max(files, key=lambda path: path.stat().st_size)
        if hub:
            text = "\n".join(path.read_text("utf-8") for path in files)
            chosen = max(files, key=lambda path: text.count(f"from {_dotted(path, folder)} import"))
        with chosen.open("a", encoding="utf-8") as file:
            file.write(f"\n\ndef added_{time.monotonic_ns()}() -> None: ...\n")

    return change


def _dotted(path: Path, folder: Path) -> str:
    return ".".join(path.relative_to(folder).with_suffix("").parts).removesuffix(".__init__")


def _run(command: Sequence[str], folder: Path) -> Cost:
    started = time.monotonic()
    process = subprocess.Popen(
        command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, _, usage = os.wait4(process.pid, 0)
    process.returncode = 0
    wall = time.monotonic() - started
    return Cost(usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss // 1024)


def _median(costs: list[Cost]) -> Cost:
    return Cost(
        statistics.median(each.cpu for each in costs),
        statistics.median(each.wall for each in costs),
        max(each.memory for each in costs),
    )


def _report(costs: dict[str, Cost]) -> None:
    print(f"| {'run':26} | CPU s | wall s | MB |\n|---|---|---|---|")
    for name, cost in costs.items():
        print(f"| {name:26} | {cost.cpu:.2f} | {cost.wall:.2f} | {cost.memory} |")
    print()
    for what, top, bottom, less in _RATIOS:
        if top in costs and bottom in costs:
            value = (costs[top].cpu - (costs[bottom].cpu if less else 0)) / costs[bottom].cpu
            print(f"| {what} | {value:.3f} |")


_RATIOS = [
    ("flake8 with LCX adds, cold", "flake8 with LCX, cold", "flake8", True),
    ("flake8 with LCX adds, warm", "flake8 with LCX, warm", "flake8", True),
    ("installed but not selected adds", "flake8, installed", "flake8", True),
    ("flake8-async : flake8 with LCX, cold", "flake8-async", "flake8 with LCX, cold", False),
    ("check, cold : mypy, cold", "check, cold, one process", "mypy, cold", False),
    ("check, cold : ty", "check, cold, one process", "ty", False),
    ("check, unchanged : mypy, unchanged", "check, unchanged", "mypy, unchanged", False),
]
"""What, of which run to which, and whether the second is taken off first."""


if __name__ == "__main__":
    main()

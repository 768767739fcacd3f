"""Does twice the code take twice the time? Checks 1, 2, 4 and 8 renamed copies of a package.

Usage: ``python bench/growth.py CODE [--most 8]``, where CODE is a folder that holds the package.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("code", type=Path)
    parser.add_argument("--most", type=int, default=8)
    options = parser.parse_args()
    package = next(path.parent for path in sorted(options.code.glob("*/__init__.py")))
    first = 0.0
    print("| copies | CPU s | against one copy | MB |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        folder, copies = Path(name), 0
        while copies < options.most:
            for number in range(copies, copies * 2 or 1):
                _copy(package, folder / f"{package.name}{number}")
            copies = copies * 2 or 1
            cpu, memory = _check(folder)
            first = first or cpu
            print(f"| {copies} | {cpu:.1f} | {cpu / first:.2f} | {memory} |", flush=True)


def _copy(package: Path, target: Path) -> None:
    """Copy a package under another name, by which it imports itself."""
    shutil.copytree(package, target)
    imports = re.compile(rf"\b(from|import) {package.name}\b")
    uses = re.compile(rf"(?<![\w.]){package.name}\.")
    for path in target.rglob("*.py"):
        text = imports.sub(rf"\1 {target.name}", path.read_text("utf-8"))
        path.write_text(uses.sub(f"{target.name}.", text), "utf-8")


def _check(folder: Path) -> tuple[float, int]:
    """CPU seconds and megabytes of checking all that is in a folder, in one process."""
    command = [sys.executable, "-m", "logctx_lint", "check", "-q", "--exit-zero", "--no-cache"]
    process = subprocess.Popen([*command, "--jobs=1", "."], cwd=folder, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"the check ended with {process.returncode}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss // 1024


if __name__ == "__main__":
    main()

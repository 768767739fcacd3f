"""Releases of packages from the registry, wheels or source archives, kept in ``.cache/wheels``.

Usage: ``python bench/wheels.py PACKAGE [VERSION]`` prints the folder of its source.
"""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

CACHE = Path(__file__).parent.parent / ".cache" / "wheels"
_WAYS = (
    ("--only-binary", ":all:"),
    ("--no-binary", ":all:"),
    # Some old source archives only build with the setuptools that is installed.
    ("--no-binary", ":all:", "--no-build-isolation"),
)
"""How pip is asked for a release, one after the other."""


class Unavailable(Exception):
    """A release that cannot be downloaded; says why."""


def unpacked(package: str, version: str = "") -> Path:
    """The folder of a release's source, the newest one's if need be; downloaded at first."""
    wanted = f"{package}=={version}" if version else package
    folder = CACHE / wanted.replace("==", "-")
    if not folder.is_dir():
        archive = _downloaded(wanted, CACHE / "downloaded" / folder.name)
        partly = folder.with_name(f"{folder.name}.partly")
        extract(archive, partly)
        root(partly, archive).rename(folder)
        if partly.is_dir():
            partly.rmdir()
    return folder


def extract(archive: Path, folder: Path) -> None:
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as wheel:
            wheel.extractall(folder)
    else:
        with tarfile.open(archive) as source:
            source.extractall(folder, filter="data")


def root(folder: Path, archive: Path) -> Path:
    """Where the source starts: a source archive has one folder around everything."""
    inner = list(folder.iterdir())
    is_wrapped = archive.suffix != ".whl" and len(inner) == 1 and inner[0].is_dir()
    return inner[0] if is_wrapped else folder


def _downloaded(wanted: str, folder: Path) -> Path:
    complaint = ""
    for way in _WAYS:
        for archive in _archives(folder):
            return archive
        pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(folder)]
        run = subprocess.run([*pip, *way, wanted], capture_output=True, text=True)
        complaint = complaint or _complaint(run.stderr)
    for archive in _archives(folder):
        return archive
    raise Unavailable(f"{wanted} cannot be downloaded: {complaint or 'pip does not say why'}")


def _archives(folder: Path) -> Iterator[Path]:
    for pattern in ("*.whl", "*.tar.*", "*.tgz", "*.zip"):
        yield from folder.glob(pattern)


def _complaint(output: str) -> str:
    """The last thing that pip says went wrong."""
    errors = [line for line in output.splitlines() if line.startswith("ERROR:")]
    return errors[-1].removeprefix("ERROR:").strip() if errors else ""


if __name__ == "__main__":
    print(unpacked(*sys.argv[1:]))

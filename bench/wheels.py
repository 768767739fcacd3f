"""Releases of packages from the registry, unpacked once in ``.cache/wheels``.

Usage: ``python bench/wheels.py PACKAGE [VERSION]`` prints the folder of its source.
"""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

CACHE = Path(__file__).parent.parent / ".cache" / "wheels"


def unpacked(package: str, version: str = "") -> Path:
    """The folder of a release's source, the newest one's if need be; downloaded at first."""
    wanted = f"{package}=={version}" if version else package
    folder = CACHE / wanted.replace("==", "-")
    if not folder.is_dir():
        wheels = CACHE / "downloaded" / folder.name
        pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(wheels)]
        subprocess.run([*pip, "--only-binary", ":all:", wanted], check=True)
        (wheel,) = wheels.glob("*.whl")
        partly = folder.with_name(f"{folder.name}.partly")
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(partly)
        partly.rename(folder)
    return folder


if __name__ == "__main__":
    print(unpacked(*sys.argv[1:]))

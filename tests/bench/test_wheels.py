"""Releases: wheels and source archives are unpacked alike, and what cannot be had is said."""

from __future__ import annotations

import tarfile
import zipfile
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from bench import wheels


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(wheels, "CACHE", tmp_path)
    return tmp_path / "downloaded" / "mailer-1.0"


def test_a_wheel(cache: Path) -> None:
    cache.mkdir(parents=True)
    with zipfile.ZipFile(cache / "mailer-1.0-py3-none-any.whl", "w") as archive:
        archive.writestr("mailer/a.py", "1\n")
    folder = wheels.unpacked("mailer", "1.0")
    assert (folder / "mailer" / "a.py").read_text() == "1\n"


def test_a_source_archive_loses_its_outer_folder(cache: Path) -> None:
    source = cache.parent / "mailer-1.0"
    (source / "mailer").mkdir(parents=True)
    (source / "mailer" / "a.py").write_text("1\n")
    with tarfile.open(cache / "mailer-1.0.tar.gz", "w:gz") as archive:
        archive.add(source / "mailer", "mailer-1.0/mailer")
    folder = wheels.unpacked("mailer", "1.0")
    assert [path.name for path in folder.iterdir()] == ["mailer"]
    assert not list(wheels.CACHE.glob("*.partly"))


def test_what_cannot_be_had_is_said(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def run(command: list[str], **options: object) -> CompletedProcess[str]:
        asked.append(command)
        return CompletedProcess(command, 1, "", "WARNING: x\nERROR: No matching distribution\n")

    monkeypatch.setattr("subprocess.run", run)
    with pytest.raises(wheels.Unavailable, match=r"mailer==1\.0 .*: No matching distribution"):
        wheels.unpacked("mailer", "1.0")
    assert len(asked) == 3

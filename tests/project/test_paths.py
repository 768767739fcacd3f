"""Tests for paths as seen from a folder, on Windows too."""

import ntpath
import os

import pytest

from logctx_lint.project.paths import common_folder, relative


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "path", ntpath)
    monkeypatch.setattr(os, "sep", ntpath.sep)


def test_a_path_is_seen_from_a_folder_with_slashes() -> None:
    assert relative("/work/app/core/x.py", "/work/tests") == "../app/core/x.py"


@pytest.mark.usefixtures("windows")
def test_windows_paths_get_slashes() -> None:
    assert relative(r"D:\a\app\core\x.py", r"D:\a\tests") == "../app/core/x.py"


@pytest.mark.usefixtures("windows")
def test_windows_folders_have_no_case() -> None:
    assert relative(r"d:\A\app\x.py", r"D:\a\app") == "x.py"


@pytest.mark.usefixtures("windows")
def test_a_path_on_another_drive_is_absolute_and_found_again() -> None:
    stub, project = r"C:\Python\Lib\site-packages\stubs\x.pyi", r"D:\a\app"
    seen = relative(stub, project)
    assert seen == "C:/Python/Lib/site-packages/stubs/x.pyi"
    assert ntpath.normpath(ntpath.join(project, seen)) == stub


@pytest.mark.usefixtures("windows")
def test_paths_on_two_drives_have_no_common_folder() -> None:
    assert common_folder([r"C:\a\x.py", r"D:\a\y.py"]) == ""
    assert common_folder([r"D:\a\x.py", r"D:\a\b\y.py"]) == r"D:\a"

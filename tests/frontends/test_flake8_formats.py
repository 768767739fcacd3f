"""The formatters that flake8 finds in this package."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from tests.support import schemas

_TEXT = "import os\nasync def work() -> None: ...\nasync def drop() -> None:\n    work()\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a finding of another plugin and one of this."""
    (tmp_path / "x.py").write_text(_TEXT)
    return tmp_path


def flake8(folder: Path, *arguments: str) -> str:
    command = [sys.executable, "-m", "flake8", "--isolated", "--select=F,LCX", *arguments]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stderr) == (1, "")
    return run.stdout


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_flake8_writes_sarif(folder: Path, jobs: str) -> None:
    document = json.loads(flake8(folder, "--format=lcx-sarif", "--jobs", jobs))
    jsonschema.Draft202012Validator(schemas.SARIF).validate(document)
    [ours, others] = document["runs"]
    assert [rule["id"] for rule in ours["tool"]["driver"]["rules"]] == ["LCX101"]
    assert others["tool"]["driver"]["name"] == "flake8"
    assert [each["ruleId"] for each in others["results"]] == ["F401"]
    place = ours["results"][0]["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "x.py"
    assert (place["region"]["startLine"], place["region"]["startColumn"]) == (4, 5)


def test_flake8_writes_sarif_to_a_file(folder: Path) -> None:
    assert flake8(folder, "--format=lcx-sarif", "--output-file=out.sarif") == ""
    assert len(json.loads((folder / "out.sarif").read_text())["runs"]) == 2


def test_flake8_writes_workflow_commands(folder: Path) -> None:
    first, second = flake8(folder, "--format=lcx-github").splitlines()
    assert first == (
        "::error title=F401,file=x.py,line=1,endLine=1,col=1::"
        "x.py:1:1: F401 'os' imported but unused"
    )
    assert second.startswith("::error title=LCX101,file=x.py,line=4,")

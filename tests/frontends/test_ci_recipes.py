"""What the pages for readers, action.yml and the workflows tell people to run can be run."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from logctx_lint.frontends.cli.parser import build

_REPOSITORY = Path(__file__).parents[2]
_PAGES = [_REPOSITORY / "docs" / name for name in ("ci.md", "editors.md")]
_PROSE = [
    _REPOSITORY / "docs" / f"{name}.md"
    for name in ("adopting", "asyncio", "faq", "index", "tour", "twisted")
]
_ACTION = yaml.safe_load((_REPOSITORY / "action.yml").read_text(encoding="utf-8"))


def commands() -> list[str]:
    """Every command line of logctx-lint on these pages."""
    found = []
    for page in [*_PAGES, *_PROSE]:
        text = page.read_text(encoding="utf-8")
        found += re.findall(r"logctx-lint (?:cache|check|baseline|explain|server)\b[^`|\n]*", text)
    return found


@pytest.mark.parametrize("command", commands())
def test_every_command_is_one_that_there_is(command: str) -> None:
    build().parse_args(shlex.split(command)[1:])


@pytest.mark.parametrize("language", ["yaml", "json"])
def test_every_configuration_can_be_read(language: str) -> None:
    text = "".join(page.read_text(encoding="utf-8") for page in _PAGES)
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert blocks
    assert all(isinstance(yaml.safe_load(block), (dict, list)) for block in blocks)


def check_step(
    tmp_path: Path, system: str = "Linux", **inputs: str
) -> subprocess.CompletedProcess[str]:
    """Run the last step of the action on the sample, with this installation."""
    [step] = [each for each in _ACTION["runs"]["steps"] if each.get("name") == "Check"]
    given: dict[str, Any] = {key: value["default"] for key, value in _ACTION["inputs"].items()}
    for key, value in inputs.items():
        given[key.replace("_", "-")] = value
    environment = {
        name: re.sub(r"\$\{\{ inputs\.([\w-]+) \}\}", lambda match: given[match[1]], text)
        for name, text in step["env"].items()
    }
    tools = tmp_path / "logctx-lint" / ("Scripts" if system == "Windows" else "bin")
    tools.mkdir(parents=True)
    tool = tools / "logctx-lint"
    tool.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m logctx_lint "$@"\n')
    tool.chmod(0o755)
    shutil.copytree(_REPOSITORY / "examples", tmp_path / "work")
    return subprocess.run(
        ["bash", "-eo", "pipefail", "-c", step["run"]],
        cwd=tmp_path / "work",
        env=os.environ | environment | {"RUNNER_TEMP": str(tmp_path), "RUNNER_OS": system},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("system", ["Linux", "macOS", "Windows"])
def test_the_action_annotates_and_fails(tmp_path: Path, system: str) -> None:
    done = check_step(tmp_path, system)
    assert (done.returncode, done.stderr) == (1, "")
    assert "::error title=LCX101,file=mailer/service.py,line=24," in done.stdout


def test_the_action_takes_arguments_and_writes_sarif(tmp_path: Path) -> None:
    done = check_step(tmp_path, arguments="--ignore LCX", paths="mailer", sarif_file="out.sarif")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (tmp_path / "work" / "out.sarif").exists()


def test_an_argument_is_not_run_as_a_script(tmp_path: Path) -> None:
    done = check_step(tmp_path, arguments="$(touch gone) ; touch gone")
    assert done.returncode == 2
    assert not (tmp_path / "work" / "gone").exists()


def test_every_step_of_the_action_names_its_shell() -> None:
    assert all("run" not in step or step["shell"] == "bash" for step in _ACTION["runs"]["steps"])


def test_the_workflow_runs_every_python_on_every_system() -> None:
    text = (_REPOSITORY / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
    matrix = yaml.safe_load(text)["jobs"]["tests"]["strategy"]["matrix"]
    assert {name.split("-")[0] for name in matrix["os"]} == {"ubuntu", "macos", "windows"}
    assert matrix["python"] == [f"3.{minor}" for minor in range(10, 15)]

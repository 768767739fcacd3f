"""Whatever stands in the files that settings are read from, a run says what is wrong, or works."""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path

import pytest
from hypothesis import strategies as st

from logctx_lint.config import loading
from logctx_lint.config.codes import CODES
from logctx_lint.config.settings import SettingsError, described
from logctx_lint.frontends.cli import main
from logctx_lint.frontends.flake8_plugin import Run
from logctx_lint.syntax.source import Source

from .fuzzing import corpus, fuzzed

_BUG = "async def g(): ...\n\n\nasync def f():\n    g()\n"
_FILES = ("pyproject.toml", "setup.cfg", "tox.ini", ".flake8", "ruff.toml", "logctx-baseline.json")
_DESCRIBED = {name.replace("_", "-"): each for name, each in described().items()}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    tmp_path.joinpath("bug.py").write_text(_BUG)
    return tmp_path


def _try(project: Path, name: str, data: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    """Run with this content of a file."""
    for each in _FILES:
        project.joinpath(each).unlink(missing_ok=True)
    if name == "logctx-baseline.json":
        project.joinpath("pyproject.toml").write_text(f"[tool.logctx-lint]\nbaseline='{name}'\n")
    project.joinpath(name).write_bytes(data)
    before = sorted(project.rglob("*"))
    code = main(["check", "--no-cache", "--quiet", "bug.py"])
    out, error = capsys.readouterr()
    assert "internal error" not in error, error
    assert "inside logctx-lint" not in out, out
    if code == 2:
        assert re.fullmatch("logctx-lint: error: [^\n]+\n", error), error
        assert out == ""
    else:
        assert code == bool(out or ": stale: " in error), (code, out, error)
    assert sorted(project.rglob("*")) == before
    _try_in_flake8(project)


def _try_in_flake8(project: Path) -> None:
    """flake8 prints one sort of exception only."""
    options = argparse.Namespace(**{f"lcx_{name}": None for name in described()})
    try:
        settings = loading.load_in_flake8(project, options).settings
    except SettingsError:
        return
    source = Source(project / "bug.py", _BUG)
    for found in Run(settings, CODES).findings(source, source.parse()):
        assert "inside logctx-lint" not in found.message, found


@corpus("settings")
def test_the_corpus(data: bytes, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The first line of each file says which one it is to be."""
    name, _, content = data.partition(b"\n")
    _try(project, name.decode(), content, capsys)


_ODD = (
    *("", "a", "*", "**", "[", "[!", "../../x", "/", "~", "\0", "\n", " ", ",", ":", "a:b", "a.b"),
    *("LCX", "LCX101", "lcx1", "E", "%", "%(a)s", "é", "\U0001f600", "x" * 300, "(?:", "\\"),
    *("asyncio", "contextvar", "gatherer", "cancellable", "60", "-1", "9" * 5_000, "bug.py", "."),
)  # fmt: skip
_TEXTS = st.sampled_from(_ODD) | st.text(max_size=8)
_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from([0, 1, 10**30])
    | _TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXTS, inner, max_size=3),
    max_leaves=6,
)
_KEYS = st.sampled_from([*_DESCRIBED, *_DESCRIBED, "select ", "SELECT", "time_limit", ""]) | _TEXTS


def _toml(value: object) -> str:
    """A value as TOML has it."""
    if isinstance(value, bool) or value is None:
        return str(bool(value)).lower()
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{_toml(key)} = {_toml(each)}' for key, each in value.items())} }}"
    return repr(value)


@fuzzed(
    60,
    table=st.dictionaries(_KEYS, _VALUES, max_size=4)
    | st.dictionaries(st.sampled_from(list(_DESCRIBED)), _VALUES, max_size=1),
    ruff=_VALUES | st.fixed_dictionaries({"lint": _VALUES, "external": _VALUES}),
)
def test_tables_in_pyproject(
    table: dict[str, object], ruff: object, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [f"{_toml(key)} = {_toml(value)}" for key, value in table.items()]
    text = "\n".join(["[tool]", f"ruff = {_toml(ruff)}", "[tool.logctx-lint]", *lines])
    _try(project, "pyproject.toml", text.encode("utf-8", "surrogatepass"), capsys)


@st.composite
def _nearly_right(draw: st.DrawFn) -> dict[str, object]:
    """Values of the right form, which only have an odd content."""
    strings = st.lists(_TEXTS, max_size=3)
    kinds: dict[str, st.SearchStrategy[object]] = {
        "source-roots": strings,
        "vocabulary": st.dictionaries(st.sampled_from(["gatherer", "droppable"]), strings),
        "read-methods": strings,
        "hints": st.dictionaries(st.sampled_from(["a", "g"]), st.sampled_from(["a.b", "bug.f"])),
        "enable": st.just(["LCX206"]),
        "per-file-ignores": st.dictionaries(_TEXTS, st.just(["LCX1"]), max_size=3),
        "exclude": strings,
        "baseline": _TEXTS,
        "time-limit": st.integers(0, 10**30),
    }
    return {name: draw(kinds[name]) for name in draw(st.sets(st.sampled_from(sorted(kinds))))}


@fuzzed(60, table=_nearly_right())
def test_odd_values_of_the_right_form(
    table: dict[str, object], project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [f"{key} = {_toml(value)}" for key, value in table.items()]
    text = "\n".join(["[tool.logctx-lint]", *lines])
    _try(project, "pyproject.toml", text.encode("utf-8", "surrogatepass"), capsys)


@fuzzed(
    50,
    name=st.sampled_from(["setup.cfg", "tox.ini", ".flake8"]),
    table=st.dictionaries(_KEYS.map("lcx-{}".format) | _TEXTS, _TEXTS, max_size=4),
    head=st.sampled_from(["[flake8]\n", "[flake8]\n[flake8]\n", "", "[flake8:local-plugins]\n"]),
)
def test_ini_files(
    name: str,
    table: dict[str, str],
    head: str,
    project: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    lines = "".join(f"{key} = {value}\n" for key, value in table.items())
    _try(project, name, (head + lines).encode("utf-8", "surrogatepass"), capsys)


_EXAMPLE = "\n".join(
    ["[tool.logctx-lint]", *(f"{key} = {each.example}" for key, each in _DESCRIBED.items())]
).encode()


@st.composite
def _damaged(draw: st.DrawFn) -> bytes:
    data = bytearray(_EXAMPLE)
    for place in draw(st.lists(st.integers(0, len(data) - 1), max_size=4)):
        data[place : place + draw(st.integers(0, 6))] = draw(st.binary(max_size=4))
    return bytes(data)


@fuzzed(60, data=_damaged() | st.binary(max_size=60), name=st.sampled_from(_FILES))
def test_damaged_files(
    data: bytes, name: str, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _try(project, name, data, capsys)


_ENTRIES = st.fixed_dictionaries(
    {"file": _VALUES, "code": _VALUES, "function": _VALUES, "fingerprint": _VALUES}
)


@fuzzed(40, entries=st.lists(_ENTRIES, max_size=3) | _VALUES, version=st.just(1) | _VALUES)
def test_baselines(
    entries: object, version: object, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = json.dumps({"version": version, "findings": entries}).encode()
    _try(project, "logctx-baseline.json", data, capsys)

"""Settings from pyproject.toml, ini files and flags."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from logctx_lint.config import loading
from logctx_lint.config.settings import (
    CancellationScope,
    Framework,
    Settings,
    SettingsError,
    Storage,
    described,
)
from logctx_lint.config.vocabulary import Role
from logctx_lint.findings import Profile


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def flags(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    loading.add_flags(parser.add_argument)
    return parser.parse_args(arguments)


def pyproject(folder: Path, text: str) -> None:
    folder.joinpath("pyproject.toml").write_text(f"[tool.logctx-lint]\n{text}\n")


def error_of(folder: Path, *arguments: str) -> str:
    with pytest.raises(SettingsError) as caught:
        loading.load(folder, flags(*arguments))
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_without_any_file_settings_are_the_defaults(folder: Path) -> None:
    assert loading.load(folder) == Settings(root=folder, environment="none")


def test_every_setting_is_read_from_pyproject(folder: Path) -> None:
    examples = {name.replace("_", "-"): each.example for name, each in described().items()}
    pyproject(folder, "\n".join(f"{key} = {value}" for key, value in examples.items()))
    assert loading.load(folder) == Settings(
        root=folder,
        storage=Storage.THREAD_LOCAL,
        framework=Framework.ASYNCIO,
        source_roots=("services/api/src",),
        environment="none",
        no_stubs_of=("discord",),
        vocabulary={Role.BACKGROUND_STARTER: ("myproject.background.start",)},
        runtime=("myproject.logctx",),
        cancellation_scope=CancellationScope.CANCELLABLE,
        read_methods=("on_HEAD", "myproject.search.SearchServlet.on_POST"),
        hints={"server": "myproject.server.Server"},
        enable=("LCX206",),
        profile=Profile.STRICT,
        select=("LCX1", "LCX301"),
        ignore=("LCX303",),
        per_file_ignores={"tests/*": ("LCX201",)},
        exclude=("migrations", "vendor/*"),
        baseline="logctx-baseline.json",
    )


def test_the_nearest_pyproject_upwards_with_a_table_is_the_root(folder: Path) -> None:
    pyproject(folder, 'framework = "asyncio"')
    inner = folder / "service" / "src"
    inner.mkdir(parents=True)
    folder.joinpath("service", "pyproject.toml").write_text("[project]\nname = 'x'\n")
    settings = loading.load(inner)
    assert (settings.root, settings.framework) == (folder, Framework.ASYNCIO)


@pytest.mark.parametrize("name", ["setup.cfg", "tox.ini", ".flake8"])
@pytest.mark.parametrize("key", ["lcx-framework", "lcx_framework"])
def test_an_ini_file_beats_pyproject(folder: Path, name: str, key: str) -> None:
    pyproject(folder, 'framework = "asyncio"\nstorage = "contextvar"')
    folder.joinpath(name).write_text(f"[flake8]\nmax-line-length = 100\n{key} = both\n")
    settings = loading.load(folder)
    assert (settings.framework, settings.storage) == (Framework.BOTH, Storage.CONTEXTVAR)


def test_a_flag_beats_the_ini_file(folder: Path) -> None:
    folder.joinpath("setup.cfg").write_text("[flake8]\nlcx-framework = both\n")
    settings = loading.load(folder, flags("--framework", "twisted"))
    assert settings.framework is Framework.TWISTED


def test_of_a_flag_given_twice_the_last_counts(folder: Path) -> None:
    given = flags("--ignore=LCX101", "--ignore=LCX201 LCX3")
    assert loading.load(folder, given).ignore == ("LCX201", "LCX3")


def test_a_table_in_a_flag_has_its_keys_between_semicolons(folder: Path) -> None:
    given = flags("--vocabulary=gatherer: a.gather, a.all; droppable: a.stop")
    assert loading.load(folder, given).vocabulary == {
        Role.GATHERER: ("a.gather", "a.all"),
        Role.DROPPABLE: ("a.stop",),
    }


def test_a_table_in_an_ini_file_has_one_line_for_each_key(folder: Path) -> None:
    folder.joinpath("setup.cfg").write_text(
        "[flake8]\nlcx-vocabulary =\n    gatherer: a.gather, a.all\n    droppable: a.stop\n"
    )
    assert loading.load(folder).vocabulary == {
        Role.GATHERER: ("a.gather", "a.all"),
        Role.DROPPABLE: ("a.stop",),
    }


def test_settings_written_as_text_are_read_like_an_ini_file(folder: Path) -> None:
    settings = loading.from_text({"storage": "contextvar"}, folder)
    assert settings == Settings(root=folder, storage=Storage.CONTEXTVAR)


def test_bad_toml_names_the_file(folder: Path) -> None:
    pyproject(folder, "framework = ")
    assert error_of(folder).startswith("pyproject.toml: not valid TOML: ")


def test_a_pyproject_that_is_not_text_names_the_file(folder: Path) -> None:
    folder.joinpath("pyproject.toml").write_bytes(b"\xff\xfe")
    assert error_of(folder).startswith("pyproject.toml: cannot be read: ")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("framwork = 'asyncio'", 'framwork: unknown setting; did you mean "framework"?'),
        (
            "per_file_ignores = {}",
            'per_file_ignores: unknown setting; did you mean "per-file-ignores"?',
        ),
        ("colour = 'red'", "colour: unknown setting"),
        (
            "framework = 'asynico'",
            'framework: expected "twisted", "asyncio" or "both", not "asynico"; '
            'did you mean "asyncio"?',
        ),
        ("framework = 3", 'framework: expected "twisted", "asyncio" or "both", not 3'),
        ("exclude = 'vendor'", "exclude: expected a list of strings, not 'vendor'"),
        ("exclude = ['vendor', 1]", "exclude: expected a list of strings, not ['vendor', 1]"),
        ("enable = ['LCX4O2']", 'enable: no code begins with "LCX4O2"; did you mean "LCX402"?'),
        ("select = ['']", 'select: no code begins with ""; "logctx-lint rules" lists them'),
        ("vocabulary = []", "vocabulary: expected a table of lists, not []"),
        (
            "vocabulary = { gatherers = ['a.b'] }",
            'vocabulary: "gatherers" is not known; did you mean "gatherer"?',
        ),
        (
            "vocabulary = { gatherer = 'a.b' }",
            "vocabulary: gatherer: expected a list of strings, not 'a.b'",
        ),
    ],
)
def test_a_bad_setting_in_pyproject_is_named(folder: Path, text: str, message: str) -> None:
    pyproject(folder, text)
    assert error_of(folder) == f"pyproject.toml: [tool.logctx-lint] {message}"


def test_a_tool_table_that_is_no_table_is_an_error(folder: Path) -> None:
    folder.joinpath("pyproject.toml").write_text("tool.logctx-lint = 1\n")
    assert error_of(folder) == "pyproject.toml: [tool.logctx-lint]: expected a table"


def test_a_bad_setting_in_an_ini_file_is_named(folder: Path) -> None:
    folder.joinpath("setup.cfg").write_text("[flake8]\nlcx-framwork = both\n")
    expected = '[flake8] lcx-framwork: unknown setting; did you mean "lcx-framework"?'
    assert error_of(folder) == f"setup.cfg: {expected}"


def test_an_ini_file_that_cannot_be_parsed_is_one_line(folder: Path) -> None:
    folder.joinpath("setup.cfg").write_text("[flake8]\na = 1\na = 2\n")
    assert "setup.cfg" in error_of(folder)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hints = []", "expected a table of class names, not []"),
        ("hints = { 'a.b' = 'c.D' }", '"a.b" cannot be the name of an object'),
        ("hints = { a = 'D' }", "a: expected a class as \"module.Class\", not 'D'"),
        ("hints = { a = 1 }", 'a: expected a class as "module.Class", not 1'),
    ],
)
def test_a_bad_hint_is_named(folder: Path, text: str, message: str) -> None:
    pyproject(folder, text)
    assert error_of(folder) == f"pyproject.toml: [tool.logctx-lint] hints: {message}"


@pytest.mark.parametrize(
    "text", ["a: b.C, d: e.f.G", "a: b.C; d: e.f.G", "\n    a: b.C\n    d: e.f.G"]
)
def test_hints_in_an_ini_file(folder: Path, text: str) -> None:
    folder.joinpath("setup.cfg").write_text(f"[flake8]\nlcx-hints = {text}\n")
    assert loading.load(folder).hints == {"a": "b.C", "d": "e.f.G"}


def test_hints_in_pyproject(folder: Path) -> None:
    pyproject(folder, "hints = { a = 'b.C' }")
    assert loading.load(folder).hints == {"a": "b.C"}


def test_a_bad_flag_is_named(folder: Path) -> None:
    expected = '--vocabulary: expected "KEY: A, B", not "a.b"'
    assert error_of(folder, "--vocabulary", "a.b") == expected

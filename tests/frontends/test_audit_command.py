"""`logctx-lint audit`: roots, exit codes, text and JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from logctx_lint.frontends.cli import main
from tests.support.cancellable_package import package as package
from tests.support.cancellable_package import write_package

STRING, NUMBER, FLAG = {"type": "string"}, {"type": "integer"}, {"type": "boolean"}
VERDICT = {"enum": ["safe", "unsafe", "unknown"]}


def exactly(**properties: object) -> dict[str, object]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def listed(items: object) -> dict[str, object]:
    return {"type": "array", "items": items}


PLACE = {
    "name": STRING,
    "filename": STRING,
    "line": NUMBER,
    "first_line": NUMBER,
    "end_line": NUMBER,
}
STEP = exactly(caller=STRING, line=NUMBER, how=STRING, function=STRING)
PROBLEM = exactly(function=STRING, verdict=VERDICT, path=listed(STEP))
ROOT = exactly(
    function=STRING,
    marked=FLAG,
    verdict=VERDICT,
    functions=exactly(safe=NUMBER, unsafe=NUMBER, unknown=NUMBER),
    problems=listed(PROBLEM),
)
JUDGED = exactly(
    **PLACE,
    marked=FLAG,
    verdict=VERDICT,
    own_verdict=VERDICT,
    findings=listed(exactly(code=STRING, message=STRING, line=NUMBER, column=NUMBER)),
    unresolved=listed(exactly(line=NUMBER, text=STRING, reason=STRING, matters=FLAG)),
    calls=listed(exactly(line=NUMBER, how=STRING, cancelled=FLAG, function=STRING)),
)
NOT_JUDGED = exactly(**PLACE, verdict={"type": "null"})
SCHEMA = exactly(
    version={"const": 1},
    roots=listed(ROOT),
    functions={"type": "object", "additionalProperties": {"oneOf": [JUDGED, NOT_JUDGED]}},
    repairs=listed(exactly(function=STRING, roots=NUMBER, made_safe=NUMBER, made_unknown=NUMBER)),
)

MIXED = """
    from logctx_lint.runtime import cancellable, run_in_background

    from .store import Store

    class Servlet:
        def __init__(self, store: Store) -> None:
            self.store = store

        @cancellable
        async def on_GET(self):
            run_in_background(self.store.get)
            return await self.fine()

        async def fine(self):
            return 1

        async def unmarked(self):
            return await self.store.get()

        @cancellable
        async def on_GET_unknown(self, thing):
            await self.fine()
            await thing.load()
"""


@pytest.fixture
def mixed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = write_package(tmp_path, servlets=MIXED)
    monkeypatch.chdir(tmp_path)
    return folder


def audit(*arguments: str) -> int:
    return main(["audit", "--no-cache", *arguments])


def as_json(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    audit(*arguments, "--output-format", "json")
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    jsonschema.validate(found, SCHEMA)
    return found


def test_text_shows_roots_problems_and_the_tree(
    package: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(package.parent)
    assert audit() == 1
    assert (
        capsys.readouterr().out
        == """\
✗ Servlet.on_GET  package/servlets.py:11: unsafe
  functions cancelled with it, itself included: 3 safe, 2 unsafe

  ✗ Store.other  package/store.py:11
      LCX301 line 14: `except BaseException` swallows the CancelledError of `await Deferred()` \
(line 13) and ends as if it were done: put `except CancelledError: raise` before it
      by Servlet.on_GET calls Handler.far  package/servlets.py:12
         Handler.far calls Handler.near  package/handlers.py:9
         Handler.near calls Store.other  package/handlers.py:12

  ✗ Store.get  package/store.py:5
      LCX301 line 8: `except Exception` swallows the CancelledError of `await Deferred()` \
(line 7) and ends as if it were done: put `except CancelledError: raise` before it
      by Servlet.on_GET calls Handler.far  package/servlets.py:12
         Handler.far calls Handler.near  package/handlers.py:9
         Handler.near calls Store.get  package/handlers.py:13

  └─ ✗ Handler.far  package/handlers.py:8  unsafe below
     └─ ✗ Handler.near  package/handlers.py:11  unsafe below
        ├─ ✗ Store.other  package/store.py:11  LCX301
        └─ ✗ Store.get  package/store.py:5  LCX301

1 root: 1 unsafe
"""
    )


def test_verdicts_of_marked_functions(mixed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = as_json(capsys, "package")
    verdicts = {root["function"]: root["verdict"] for root in found["roots"]}
    assert verdicts == {
        "package/servlets.py::Servlet.on_GET": "safe",
        "package/servlets.py::Servlet.on_GET_unknown": "unknown",
    }
    unknown = found["functions"]["package/servlets.py::Servlet.on_GET_unknown"]
    assert [(each["text"], each["matters"]) for each in unknown["unresolved"]] == [
        ("thing.load", True)
    ]
    # What is started in the background is shown, and not judged.
    calls = found["functions"]["package/servlets.py::Servlet.on_GET"]["calls"]
    assert [(call["how"], call["cancelled"]) for call in calls] == [
        ("starts in background", False),
        ("calls", True),
    ]
    assert found["functions"]["package/store.py::Store.get"]["verdict"] is None


def test_only_an_unsafe_function_that_is_marked_fails(mixed: Path) -> None:
    assert audit() == 0
    assert audit("package/servlets.py::Servlet.unmarked") == 0
    store = mixed / "store.py"
    store.write_text(store.read_text().replace("except Exception:", "except ValueError:"))
    servlets = mixed / "servlets.py"
    servlets.write_text(servlets.read_text().replace("self.fine()", "self.store.other()"))
    assert audit() == 1


def test_a_function_that_is_named_is_judged_though_it_is_not_marked(
    mixed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = as_json(capsys, "package/servlets.py::Servlet.unmarked")
    (root,) = found["roots"]
    assert (root["marked"], root["verdict"]) == (False, "unsafe")
    assert [problem["function"] for problem in root["problems"]] == ["package/store.py::Store.get"]
    audit("-q", "package/servlets.py::Servlet.unmarked")
    assert "servlets.py:18: unsafe, not marked" in capsys.readouterr().out


def test_the_cancellation_scope_does_not_hide_anything(
    mixed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = "package/servlets.py::Servlet.unmarked"
    found = as_json(capsys, name, "--cancellation-scope", "cancellable")
    assert found["roots"][0]["verdict"] == "unsafe"


@pytest.mark.parametrize(
    ("root", "message"),
    [
        (
            "package/servlets.py::Servlet.unmarkd",
            'package/servlets.py: no function is called "Servlet.unmarkd"; did you mean '
            '"Servlet.unmarked"?',
        ),
        ("package/none.py::f", "package/none.py: "),
        ("nowhere", "nowhere: no such file or folder"),
    ],
)
def test_mistakes_are_told_in_one_line(
    mixed: Path, capsys: pytest.CaptureFixture[str], root: str, message: str
) -> None:
    assert audit(root) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"logctx-lint: error: {message}")
    assert error.count("\n") == 1


def test_nothing_marked_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "main.py").write_text("async def f(): ...\n")
    monkeypatch.chdir(tmp_path)
    assert audit() == 0
    out = capsys.readouterr().out
    assert out.startswith("no function is marked as cancellable; name some, as by --root ")
    assert audit("--output-file", "missing/out.txt") == 2


def test_a_deep_tree_and_a_circle_come_to_an_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    depth = 3000
    functions = [f"async def f{n}():\n    await f{(n + 1) % depth}()\n" for n in range(depth)]
    (tmp_path / "main.py").write_text("\n".join(functions))
    monkeypatch.chdir(tmp_path)
    assert audit("main.py::f0") == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == depth + 5
    assert lines[-3].strip() == "└─ ✓ f0  main.py:1  … above"


# asyncio: nothing is marked

ASYNCIO = """\
import asyncio
import functools


def route(path):
    return lambda function: function


async def store(item):
    pool = await connect()
    try:
        await pool.put(item)
    except Exception:
        await pool.close()
        raise


async def connect():
    return Pool()


class Pool:
    async def put(self, item):
        await asyncio.sleep(1)

    async def close(self):
        await asyncio.sleep(1)


async def poll():
    while True:
        try:
            await asyncio.sleep(1)
        except BaseException:
            print("again")


@route("/items")
async def create(item):
    poll()
    await store(item)


@route("/items")
async def show(item):
    await store(item)
    await poll()


@route("/all")
async def show_all(items):
    for item in items:
        await poll()
    asyncio.create_task(store(items[0]))


def plain():
    return 1
"""


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "api.py").write_text(ASYNCIO)
    monkeypatch.chdir(tmp_path)
    return folder


def test_roots_by_name(service: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = as_json(capsys, "--root", "app.api.show*", "--root", "app.api.create")
    assert {root["function"]: root["verdict"] for root in found["roots"]} == {
        "app/api.py::create": "unsafe",
        "app/api.py::show": "unsafe",
        "app/api.py::show_all": "unsafe",
    }
    assert audit("--root", "app.api.connect", "app") == 0
    assert audit("--root", "app.api.show", "app") == 1


def test_names_that_no_asynchronous_function_has(
    service: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert audit("--root", "app.api.plain") == 2
    error = capsys.readouterr().err
    assert error.startswith(
        "logctx-lint: error: no asynchronous function is called app.api.plain; did you mean"
    )


def test_a_coroutine_that_is_dropped_runs_nothing(
    service: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = as_json(capsys, "--root", "app.api.create")
    calls = found["functions"]["app/api.py::create"]["calls"]
    assert [(call["function"], call["how"]) for call in calls] == [
        ("app/api.py::poll", "makes and never awaits"),
        ("app/api.py::store", "calls"),
    ]


def test_lines_are_those_of_the_def_in_text_and_json(
    service: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = as_json(capsys, "--root", "app.api.create")["functions"]["app/api.py::create"]
    audit("-q", "--root", "app.api.create")
    assert f"✗ create  app/api.py:{found['line']}: unsafe\n" in capsys.readouterr().out
    assert found["first_line"] == found["line"] - 1


def test_what_to_correct_first(service: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("--root", "app.api.show*", "--root", "app.api.create")
    repairs = as_json(capsys, *arguments)["repairs"]
    assert [
        (each["function"], each["roots"], each["made_safe"], each["made_unknown"])
        for each in repairs
    ] == [("app/api.py::store", 2, 1, 0), ("app/api.py::poll", 2, 1, 0)]
    audit("-q", *arguments)
    assert (
        "cancelled with 2 unsafe roots, 1 of which is safe once it is corrected\n"
        in capsys.readouterr().out
    )


def test_roots_by_the_project_s_own_decorator(
    service: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = "[tool.logctx-lint.vocabulary]\ncancellable-marker = ['app.api.route']\n"
    (service.parent / "pyproject.toml").write_text(settings)
    found = as_json(capsys)
    assert [root["function"] for root in found["roots"]] == [
        "app/api.py::create",
        "app/api.py::show",
        "app/api.py::show_all",
    ]


def test_a_mistyped_root_is_suggested(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("app.py").write_text("async def handle(): ...\n")
    assert main(["audit", "--root=app.handel", "."]) == 2
    assert capsys.readouterr().err.endswith('; did you mean "app.handle"?\n')


def test_what_cannot_be_parsed_is_said_and_an_output_file_refused_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("app.py").write_text("def (:\n")
    assert main(["audit", "--output-file=no/where", "."]) == 2
    assert "left out" not in capsys.readouterr().err
    assert main(["audit", "."]) == 0
    assert "app.py: left out: cannot be parsed" in capsys.readouterr().err

"""The language server, as a process of its own, talking to a real client of the protocol."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
from lsprotocol import types
from pygls.lsp.client import LanguageClient

from logctx_lint.frontends.cli import main

_T = TypeVar("_T")
_F = TypeVar("_F", bound=Callable[..., object])

_STORE = "async def save() -> None: ...\n"
_SERVICE = "from app.store import save\n\n\nasync def work() -> None:\n    '𐐀'; save()\n"
_SETTINGS = "[tool.logctx-lint]\nprofile = 'strict'\n"
_SWALLOWS = """\
import asyncio


async def work() -> None:
    try:
        await asyncio.sleep(1)
    except BaseException:
        print("failed")
"""


class Editor:
    """A client with the project open."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.client = LanguageClient("test", "0")
        self.published: asyncio.Queue[types.PublishDiagnosticsParams] = asyncio.Queue()
        self.messages: asyncio.Queue[str] = asyncio.Queue()
        self.watched: asyncio.Queue[list[str]] = asyncio.Queue()
        self._versions: dict[str, int] = {}
        feature: Callable[[str], Callable[[_F], _F]] = self.client.feature

        @feature(types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)
        def published(params: types.PublishDiagnosticsParams) -> None:
            self.published.put_nowait(params)

        @feature(types.WINDOW_SHOW_MESSAGE)
        def told(params: types.ShowMessageParams) -> None:
            self.messages.put_nowait(params.message)

        @feature(types.CLIENT_REGISTER_CAPABILITY)
        def registered(params: types.RegistrationParams) -> None:
            [registration] = params.registrations
            options: Any = registration.register_options  # as it came, a dictionary
            self.watched.put_nowait([each["globPattern"] for each in options["watchers"]])

    async def start(self, *, pulls: bool = False) -> types.InitializeResult:
        await self.client.start_io(sys.executable, "-m", "logctx_lint", "server")
        watching = types.DidChangeWatchedFilesClientCapabilities(dynamic_registration=True)
        capabilities = types.ClientCapabilities(
            workspace=types.WorkspaceClientCapabilities(did_change_watched_files=watching),
            text_document=types.TextDocumentClientCapabilities(
                diagnostic=types.DiagnosticClientCapabilities() if pulls else None
            ),
        )
        result = await self.client.initialize_async(
            types.InitializeParams(capabilities, root_uri=self.folder.as_uri())
        )
        self.client.initialized(types.InitializedParams())
        return result

    async def stop(self) -> int | None:
        """Say goodbye; gives the server's exit code."""
        await self.client.shutdown_async(None)
        self.client.exit(None)
        server = self.client._server
        assert server is not None
        code = await server.wait()
        await self.client.stop()  # type: ignore[no-untyped-call]
        return code

    def uri(self, name: str) -> str:
        return (self.folder / name).as_uri()

    def open(self, name: str, text: str | None = None) -> None:
        """Open a file, with a text that is not saved if there is one."""
        shown = (self.folder / name).read_text() if text is None else text
        self._versions[name] = 1
        self.client.text_document_did_open(
            types.DidOpenTextDocumentParams(
                types.TextDocumentItem(self.uri(name), "python", 1, shown)
            )
        )

    def type(self, name: str, text: str) -> None:
        self._versions[name] += 1
        document = types.VersionedTextDocumentIdentifier(self._versions[name], self.uri(name))
        change = types.TextDocumentContentChangeWholeDocument(text)
        self.client.text_document_did_change(types.DidChangeTextDocumentParams(document, [change]))

    async def found(self, name: str) -> list[str]:
        """LINE:COLUMN CODE of what is next published about the present text of a file."""
        while True:
            params = await self.published.get()
            if params.uri == self.uri(name) and params.version in (None, self._versions[name]):
                return [
                    f"{each.range.start.line + 1}:{each.range.start.character + 1} {each.code}"
                    for each in params.diagnostics
                ]

    async def actions(self, name: str, line: int, *only: str) -> list[types.CodeAction]:
        place = types.Position(line - 1, 0)
        context = types.CodeActionContext([], only=list(only) or None)
        document = types.TextDocumentIdentifier(self.uri(name))
        params = types.CodeActionParams(document, types.Range(place, place), context)
        result = await self.client.text_document_code_action_async(params)
        return [each for each in result or [] if isinstance(each, types.CodeAction)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project in which nothing is wrong on disk."""
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "__init__.py").touch()
    (tmp_path / "app" / "store.py").write_text(_STORE.removeprefix("async "))
    (tmp_path / "app" / "service.py").write_text(_SERVICE)
    (tmp_path / "pyproject.toml").write_text(_SETTINGS)
    return tmp_path


def talk(
    folder: Path, conversation: Callable[[Editor], Awaitable[_T]], *, pulls: bool = False
) -> _T:
    """Start a server, talk to it, and see it end well."""

    async def whole() -> _T:
        editor = Editor(folder)
        await editor.start(pulls=pulls)
        result = await conversation(editor)
        assert await editor.stop() == 0
        return result

    return asyncio.run(asyncio.wait_for(whole(), timeout=30))


def applied(text: str, action: types.CodeAction, uri: str) -> str:
    """A text after the edits of an action, which count columns in UTF-16."""
    assert action.edit is not None
    assert action.edit.changes is not None
    lines = [line.encode("utf-16-le") for line in text.splitlines(keepends=True)] + [b""]

    def offset(place: types.Position) -> int:
        return sum(map(len, lines[: place.line])) + 2 * place.character

    data = b"".join(lines)
    edits = sorted(action.edit.changes[uri], key=lambda each: offset(each.range.start))
    for each in reversed(edits):
        start, end = offset(each.range.start), offset(each.range.end)
        data = data[:start] + each.new_text.encode("utf-16-le") + data[end:]
    return data.decode("utf-16-le")


def test_unsaved_texts_are_checked_and_count_for_one_another(folder: Path) -> None:
    async def conversation(editor: Editor) -> None:
        editor.open("app/service.py")
        assert await editor.found("app/service.py") == []
        editor.open("app/store.py")
        assert await editor.found("app/store.py") == []
        editor.type("app/store.py", _STORE)
        # The column counts units of UTF-16, of which the letter in the string takes two.
        while (found := await editor.found("app/service.py")) == []:
            pass
        assert found == ["5:11 LCX101"]
        editor.type("app/service.py", _SERVICE.replace("save()", "await save()"))
        assert await editor.found("app/service.py") == []

    talk(folder, conversation)


def test_a_finding_leads_to_where_the_function_is_defined(folder: Path) -> None:
    async def conversation(editor: Editor) -> None:
        (folder / "app" / "store.py").write_text(_STORE)
        editor.open("app/service.py")
        diagnostics = (await editor.published.get()).diagnostics
        (related,) = diagnostics[0].related_information or ()
        assert related.location.uri == editor.uri("app/store.py")
        line = _STORE.splitlines()[related.location.range.start.line]
        assert line.startswith("async def save(")
        assert related.message == "`save()` is defined here"

    talk(folder, conversation)


def test_a_closed_text_takes_its_findings_along(folder: Path) -> None:
    async def conversation(editor: Editor) -> None:
        editor.open("app/x.py", _SWALLOWS)
        assert await editor.found("app/x.py") == ["7:5 LCX301"]
        document = types.TextDocumentIdentifier(editor.uri("app/x.py"))
        editor.client.text_document_did_close(types.DidCloseTextDocumentParams(document))
        assert await editor.found("app/x.py") == []

    talk(folder, conversation)


def test_every_fix_of_a_finding_is_an_action(folder: Path) -> None:
    async def conversation(editor: Editor) -> list[str]:
        (folder / "app" / "store.py").write_text(_STORE)
        editor.open("app/service.py")
        actions = await editor.actions("app/service.py", 5)
        assert [each.kind for each in actions] == ["quickfix"] * len(actions)
        assert [each.is_preferred for each in actions] == [False] * len(actions)
        assert await editor.actions("app/service.py", 4) == []
        assert await editor.actions("app/service.py", 5, "refactor") == []
        uri = editor.uri("app/service.py")
        return [applied(_SERVICE, each, uri) for each in actions]

    first, silenced = talk(folder, conversation)
    assert silenced == _SERVICE.replace("save()\n", "save()  # noqa: LCX101\n")
    assert first == _SERVICE.replace("save()", "await save()")


def test_all_safe_fixes_are_one_action(folder: Path) -> None:
    text = (
        _SWALLOWS + _SWALLOWS.partition("\n")[2].replace("work", "more") + "x = 1  # noqa: LCX1\n"
    )

    async def conversation(editor: Editor) -> str:
        editor.open("app/x.py", text)
        assert await editor.found("app/x.py") == ["7:5 LCX301", "14:5 LCX301", "16:8 LCX001"]
        for kind in ("source", "source.fixAll", "source.fixAll.logctx-lint"):
            [action] = await editor.actions("app/x.py", 1, kind)
        cured = applied(text, action, editor.uri("app/x.py"))
        editor.type("app/x.py", cured)
        assert await editor.found("app/x.py") == []
        assert await editor.actions("app/x.py", 1, "source.fixAll") == []
        return cured

    cured = talk(folder, conversation)
    assert cured.count("except asyncio.CancelledError:\n        raise\n") == 2
    assert cured.endswith("x = 1\n")


def test_hovering_tells_the_rule(folder: Path) -> None:
    async def hover(editor: Editor, line: int) -> types.Hover | None:
        document = types.TextDocumentIdentifier(editor.uri("app/x.py"))
        place = types.Position(line - 1, 6)
        return await editor.client.text_document_hover_async(types.HoverParams(document, place))

    async def conversation(editor: Editor) -> None:
        editor.open("app/x.py", _SWALLOWS)
        told = await hover(editor, 7)
        assert told is not None
        assert isinstance(told.contents, types.MarkupContent)
        assert told.contents.value.startswith("**[LCX301](https://")
        assert await hover(editor, 1) is None

    talk(folder, conversation)


def test_changed_settings_count_at_once(folder: Path) -> None:
    path = folder / "pyproject.toml"

    async def change(editor: Editor, text: str) -> None:
        path.write_text(text)
        event = types.FileEvent(path.as_uri(), types.FileChangeType.Changed)
        changed = types.DidChangeWatchedFilesParams([event])
        editor.client.workspace_did_change_watched_files(changed)

    async def conversation(editor: Editor) -> None:
        assert "**/pyproject.toml" in await editor.watched.get()
        editor.open("app/x.py", _SWALLOWS)
        assert await editor.found("app/x.py") == ["7:5 LCX301"]
        await change(editor, f"{_SETTINGS}ignore = ['LCX301']\n")
        assert await editor.found("app/x.py") == []
        await change(editor, f"{_SETTINGS}ignroe = ['LCX301']\n")
        message = await editor.messages.get()
        assert "unknown setting" in message
        assert message.startswith("logctx-lint: pyproject.toml: ")
        await change(editor, f"{_SETTINGS}exclude = ['other']\n")
        assert await editor.found("app/x.py") == ["7:5 LCX301"]
        await change(editor, "[tool.logctx-lint]\nexclude = ['app']\n")
        assert await editor.found("app/x.py") == []
        assert editor.messages.empty()

    talk(folder, conversation)


def test_a_module_that_changes_on_disk_counts(folder: Path) -> None:
    path = folder / "app" / "store.py"

    async def conversation(editor: Editor) -> None:
        assert "**/*.py" in await editor.watched.get()
        editor.open("app/service.py")
        assert await editor.found("app/service.py") == []
        path.write_text(_STORE)
        event = types.FileEvent(path.as_uri(), types.FileChangeType.Changed)
        changed = types.DidChangeWatchedFilesParams([event])
        editor.client.workspace_did_change_watched_files(changed)
        assert await editor.found("app/service.py") == ["5:11 LCX101"]

    talk(folder, conversation)


def test_findings_stay_while_a_line_is_half_typed(folder: Path) -> None:
    async def conversation(editor: Editor) -> None:
        editor.open("app/x.py", _SWALLOWS)
        assert await editor.found("app/x.py") == ["7:5 LCX301"]
        editor.type("app/x.py", f"{_SWALLOWS}x = (\n")
        assert await editor.found("app/x.py") == ["7:5 LCX301", "9:1 LCX000"]
        editor.type("app/x.py", _SWALLOWS)
        assert await editor.found("app/x.py") == ["7:5 LCX301"]
        editor.type("app/x.py", f"x = (\n{_SWALLOWS}")
        assert "8:5 LCX301" in await editor.found("app/x.py")
        editor.type("app/x.py", _SWALLOWS)
        assert await editor.found("app/x.py") == ["7:5 LCX301"]

    talk(folder, conversation)


def test_an_editor_that_asks_for_diagnostics_is_not_told_them_twice(folder: Path) -> None:
    async def conversation(editor: Editor) -> list[object]:
        editor.open("app/x.py", _SWALLOWS)
        document = types.TextDocumentIdentifier(editor.uri("app/x.py"))
        report = await editor.client.text_document_diagnostic_async(
            types.DocumentDiagnosticParams(document)
        )
        assert editor.published.empty()
        assert isinstance(report, types.RelatedFullDocumentDiagnosticReport)
        return [each.code for each in report.items]

    assert talk(folder, conversation, pulls=True) == ["LCX301"]


def test_an_enabled_rule_is_on(folder: Path) -> None:
    text = (
        "from logctx_lint.runtime import run_in_background\n\n"
        "async def work() -> None: ...\n\ndef run() -> None:\n    run_in_background(work)\n"
    )
    (folder / "pyproject.toml").write_text("[tool.logctx-lint]\nenable = ['LCX206']\n")

    async def conversation(editor: Editor) -> None:
        editor.open("app/x.py", text)
        assert await editor.found("app/x.py") == ["6:5 LCX206"]

    talk(folder, conversation)


def test_without_pygls_one_line_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delitem(sys.modules, "logctx_lint.frontends.lsp.server", raising=False)
    monkeypatch.setitem(sys.modules, "pygls", None)
    monkeypatch.setitem(sys.modules, "pygls.lsp.server", None)
    assert main(["server"]) == 2
    assert 'pip install "logctx-lint[lsp]"' in capsys.readouterr().err

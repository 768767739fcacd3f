"""The language server: diagnostics while typing, fixes, and the pages of rules.

All it does is to translate between the protocol and `logctx_lint.frontends.lsp.open_documents`.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from lsprotocol import types
from pygls.lsp.server import LanguageServer
from pygls.workspace import TextDocument

from logctx_lint import __version__
from logctx_lint.config.codes import CODES, url
from logctx_lint.config.settings import SettingsError
from logctx_lint.findings import Applicability, Edit, Finding, Profile, Related, Span
from logctx_lint.fixes import apply
from logctx_lint.frontends.lsp import open_documents
from logctx_lint.frontends.lsp.open_documents import Checked
from logctx_lint.syntax.source import Source

_NAME = "logctx-lint"
_FIX_ALL = f"{types.CodeActionKind.SourceFixAll.value}.{_NAME}"
_KINDS = [types.CodeActionKind.QuickFix, _FIX_ALL]
_WATCHED = ("pyproject.toml", "setup.cfg", "tox.ini", ".flake8", "*.py", "*.pyi")

_SEVERITY = {
    Profile.RECOMMENDED: types.DiagnosticSeverity.Warning,
    Profile.STRICT: types.DiagnosticSeverity.Information,
}

# Seconds without a keystroke after which the text is checked.
_PAUSE = 0.2


class Server(LanguageServer):
    """One editor's server."""

    def __init__(self) -> None:
        # Not incremental: pygls splits lines where Python and the protocol do not.
        super().__init__(_NAME, __version__, types.TextDocumentSyncKind.Full)
        self._checked: dict[str, tuple[int | None, Checked]] = {}
        self._waiting: asyncio.TimerHandle | None = None
        self._told = ""
        self._session = open_documents.Session()
        self._register()

    def check_soon(self) -> None:
        """Check the open texts when the typing pauses."""
        if self._waiting:
            self._waiting.cancel()
        self._waiting = asyncio.get_running_loop().call_later(_PAUSE, self.check_now)

    def check_now(self) -> None:
        """Check the open texts and publish what was found."""
        if self._waiting:
            self._waiting.cancel()
            self._waiting = None
        documents = {_path(each): each for each in self.workspace.text_documents.values()}
        if not self._is_told_of_changes:
            self._session.forget()
        try:
            results = self._session.check(map(_source, documents.values()), self._folder())
        except SettingsError as error:
            self._tell(str(error))
            return
        self._told = ""
        for path, checked in results.items():
            document = documents[path]
            _, before = self._checked.get(document.uri, (None, None))
            kept = open_documents.with_kept(checked, before)
            self._checked[document.uri] = (document.version, kept)
            if not self._pulls:
                self._publish(document, kept)
        if self._refreshes:
            self.workspace_diagnostic_refresh(None)

    def pull(self, params: types.DocumentDiagnosticParams) -> types.DocumentDiagnosticReport:
        """The diagnostics of one text, for an editor that pulls them."""
        checked = self._current(params.text_document.uri)
        items = [self._diagnostic(checked, each) for each in checked.findings] if checked else []
        return types.RelatedFullDocumentDiagnosticReport(items=items)

    def _publish(self, document: TextDocument, checked: Checked) -> None:
        diagnostics = [self._diagnostic(checked, each) for each in checked.findings]
        self.text_document_publish_diagnostics(
            types.PublishDiagnosticsParams(document.uri, diagnostics, document.version)
        )

    def check_anew(self) -> None:
        """Check the open texts when more than they may have changed."""
        self._session.forget()
        self.check_now()

    @property
    def _is_told_of_changes(self) -> bool:
        """Whether the editor says which files change on disk."""
        workspace = self.client_capabilities.workspace
        watched = workspace and workspace.did_change_watched_files
        return bool(watched and watched.dynamic_registration)

    @property
    def _pulls(self) -> bool:
        """Whether the editor asks for diagnostics."""
        document = self.client_capabilities.text_document
        return bool(document and document.diagnostic)

    @property
    def _refreshes(self) -> bool:
        """Whether the editor wants to be told when asking again is worth it."""
        workspace = self.client_capabilities.workspace
        wanted = workspace and workspace.diagnostics and workspace.diagnostics.refresh_support
        return bool(self._pulls and wanted)

    def forget(self, uri: str) -> None:
        """Take back what was published about a text that was closed."""
        self._checked.pop(uri, None)
        if self._pulls:
            return
        self.text_document_publish_diagnostics(types.PublishDiagnosticsParams(uri, []))

    def actions(self, params: types.CodeActionParams) -> list[types.CodeAction]:
        """Every fix of every finding on the lines asked for, and all safe ones of the text.

        Last, a comment that silences the finding there.
        """
        uri, only = params.text_document.uri, params.context.only
        checked = self._current(uri)
        if checked is None:
            return []
        found = []
        if _wanted(types.CodeActionKind.QuickFix.value, only):
            lines = params.range.start.line + 1, params.range.end.line + 1
            for finding in checked.between(*lines):
                found += self._quick_fixes(uri, checked, finding)
                found += self._silencing(uri, checked, finding)
        if _wanted(_FIX_ALL, only):
            found += self._fix_all(uri, checked)
        return found

    def hover(self, params: types.HoverParams) -> types.Hover | None:
        """The pages of the rules that report something at a position."""
        checked = self._current(params.text_document.uri)
        if checked is None:
            return None
        codec = self.workspace.position_codec
        place = codec.position_from_client_units(checked.source.lines, params.position)
        found = checked.at(place.line + 1, place.character)
        if not found:
            return None
        text = "\n\n---\n\n".join(_page(each.code) for each in found)
        content = types.MarkupContent(types.MarkupKind.Markdown, text)
        return types.Hover(content, self._range(checked, found[0].span))

    def watch_files(self) -> None:
        """Ask the editor to tell when settings, or other modules, change on disk."""
        watchers = [types.FileSystemWatcher(f"**/{name}") for name in _WATCHED]
        method = types.WORKSPACE_DID_CHANGE_WATCHED_FILES
        options = types.DidChangeWatchedFilesRegistrationOptions(watchers)
        registration = types.Registration(f"{_NAME}-files", method, options)
        self.client_register_capability(types.RegistrationParams([registration]))

    def _folder(self) -> Path:
        """The folder that is open in the editor."""
        return Path(self.workspace.root_path or Path.cwd())

    def _current(self, uri: str) -> Checked | None:
        """What is found in a text as it is now."""
        if uri not in self.workspace.text_documents:
            return None
        version = self.workspace.get_text_document(uri).version
        if uri not in self._checked or self._checked[uri][0] != version:
            self.check_now()
        known, checked = self._checked.get(uri, (None, None))
        return checked if known == version else None

    def _tell(self, message: str) -> None:
        """Say what is wrong with the settings, once and not at every keystroke."""
        if message != self._told:
            shown = types.ShowMessageParams(types.MessageType.Error, f"{_NAME}: {message}")
            self.window_show_message(shown)
        self._told = message

    def _diagnostic(self, checked: Checked, finding: Finding) -> types.Diagnostic:
        return types.Diagnostic(
            range=self._range(checked, finding.span),
            message=finding.message,
            severity=_SEVERITY[finding.profile],
            code=finding.code,
            code_description=types.CodeDescription(url(finding.code)),
            source=_NAME,
            related_information=[_related(each) for each in finding.related] or None,
        )

    def _quick_fixes(self, uri: str, checked: Checked, finding: Finding) -> list[types.CodeAction]:
        return [
            types.CodeAction(
                title=f"{finding.code}: {fix.title}",
                kind=types.CodeActionKind.QuickFix,
                diagnostics=[self._diagnostic(checked, finding)],
                # What an editor may do at one key press, unseen.
                is_preferred=fix is finding.fixes[0] and fix.applicability is Applicability.SAFE,
                edit=self._edit(uri, checked, fix.edits),
            )
            for fix in finding.fixes
        ]

    def _silencing(self, uri: str, checked: Checked, finding: Finding) -> list[types.CodeAction]:
        edits = open_documents.silence(checked.source, finding)
        if not edits:
            return []
        return [
            types.CodeAction(
                title=f"{finding.code}: silence here (# noqa)",
                kind=types.CodeActionKind.QuickFix,
                diagnostics=[self._diagnostic(checked, finding)],
                is_preferred=False,
                edit=self._edit(uri, checked, edits),
            )
        ]

    def _fix_all(self, uri: str, checked: Checked) -> list[types.CodeAction]:
        # An editor asks at every move of the cursor: nothing is computed for nothing.
        if not any(apply.applicable(each, unsafe=False) for each in checked.findings):
            return []
        documents = self.workspace.text_documents.values()
        others = [_source(each) for each in documents if each.uri != uri]
        edits = open_documents.fix_all(checked.source, others, self._folder())
        if not edits:
            return []
        title = f"{_NAME}: apply all safe fixes"
        edit = self._edit(uri, checked, edits)
        return [types.CodeAction(title=title, kind=_FIX_ALL, edit=edit)]

    def _edit(
        self, uri: str, checked: Checked, edits: tuple[Edit, ...] | list[Edit]
    ) -> types.WorkspaceEdit:
        listed = [types.TextEdit(self._range(checked, each.span), each.text) for each in edits]
        return types.WorkspaceEdit(changes={uri: listed})

    def _range(self, checked: Checked, span: Span) -> types.Range:
        start = types.Position(span.line - 1, span.column)
        end = types.Position(span.end_line - 1, span.end_column)
        codec = self.workspace.position_codec
        return codec.range_to_client_units(checked.source.lines, types.Range(start, end))

    def _register(self) -> None:
        feature = self.feature

        @feature(types.INITIALIZED)
        def initialized(_: types.InitializedParams) -> None:
            # flake8's ini file is the one of the working directory.
            os.chdir(self._folder())
            if self._is_told_of_changes:
                self.watch_files()

        @feature(types.TEXT_DOCUMENT_DID_OPEN)
        def opened(_: types.DidOpenTextDocumentParams) -> None:
            self.check_anew()

        @feature(types.TEXT_DOCUMENT_DID_CHANGE)
        def changed(_: types.DidChangeTextDocumentParams) -> None:
            self.check_soon()

        @feature(types.TEXT_DOCUMENT_DID_SAVE)
        def saved(_: types.DidSaveTextDocumentParams) -> None:
            self.check_anew()

        @feature(types.TEXT_DOCUMENT_DID_CLOSE)
        def closed(params: types.DidCloseTextDocumentParams) -> None:
            self.forget(params.text_document.uri)

        @feature(types.WORKSPACE_DID_CHANGE_WATCHED_FILES)
        def files_changed(_: types.DidChangeWatchedFilesParams) -> None:
            self._session.forget()
            # Many at once, when a branch is switched.
            self.check_soon()

        options = types.DiagnosticOptions(
            inter_file_dependencies=True, workspace_diagnostics=False, identifier=_NAME
        )

        @feature(types.TEXT_DOCUMENT_DIAGNOSTIC, options)
        def pull(params: types.DocumentDiagnosticParams) -> types.DocumentDiagnosticReport:
            return self.pull(params)

        @feature(types.TEXT_DOCUMENT_CODE_ACTION, types.CodeActionOptions(_KINDS))
        def actions(params: types.CodeActionParams) -> list[types.CodeAction]:
            return self.actions(params)

        @feature(types.TEXT_DOCUMENT_HOVER)
        def hover(params: types.HoverParams) -> types.Hover | None:
            return self.hover(params)


def _related(related: Related) -> types.DiagnosticRelatedInformation:
    start = types.Position(related.line - 1, 0)
    location = types.Location(related.path.as_uri(), types.Range(start, start))
    return types.DiagnosticRelatedInformation(location, related.message)


def _path(document: TextDocument) -> Path:
    return Path(document.path)


def _source(document: TextDocument) -> Source:
    return Source(_path(document), document.source)


def _wanted(kind: str, only: object) -> bool:
    """Is a kind of action among those, or below those, that the editor asked for?"""
    if not isinstance(only, (list, tuple)):
        return True
    asked = [str(getattr(each, "value", each)) for each in only]
    return any(kind == each or kind.startswith(f"{each}.") for each in asked)


def _page(code: str) -> str:
    """The text that is shown on hovering."""
    from logctx_lint.rules.docs import page

    shown = page(code)
    title = f"**[{code}]({url(code)}) {CODES[code]}**"
    return "\n\n".join([title, shown.summary, shown.sections["Why"]])

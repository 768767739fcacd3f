"""The text of one file, as Python reads it and as an edit must leave it."""

from __future__ import annotations

import ast
import codecs
import io
import os
import stat
import sys
import tokenize
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from pathlib import Path

from logctx_lint.findings import Span

LARGEST = 20_000_000
"""Bytes. A tree takes a hundred times the memory of its text."""
_VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"


class Unreadable(Exception):
    """The file cannot be analysed; the message says why, `line` where (or 1)."""

    def __init__(self, reason: str, line: int = 1) -> None:
        super().__init__(reason)
        self.line = line


def digest_of(data: bytes) -> str:
    """A short name for some content."""
    return blake2b(data, digest_size=12).hexdigest()


def read_bytes(path: Path | str) -> bytes:
    """What stands in a file; raises Unreadable, also for what is none: a pipe never ends."""
    try:
        found = os.stat(path)
        if not (stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)):
            raise Unreadable("not a regular file")
        if found.st_size > LARGEST:
            raise Unreadable(f"larger than {LARGEST // 10**6} MB")
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise Unreadable(f"cannot be read: {error.strerror}") from error


def split_lines(text: str) -> list[str]:
    """Split `text` where Python's tokenizer does, keeping the line endings."""
    # Python ends a line where files opened with this do; str.splitlines() knows many more ends.
    return io.StringIO(text, newline="").readlines() or [""]


@dataclass(frozen=True)
class Source:
    """One decoded file. `text` has no byte order mark and keeps its line endings."""

    path: Path
    text: str
    encoding: str = "utf-8"
    bom: bool = False

    @classmethod
    def decode(cls, path: Path, data: bytes) -> Source:
        """Decode `data` as Python would; raises Unreadable if Python could not."""
        bom = data.startswith(codecs.BOM_UTF8)
        try:
            encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
            text = data.decode("utf-8-sig" if bom else encoding)
        except (SyntaxError, UnicodeError, LookupError) as error:
            raise Unreadable(f"cannot be decoded: {error}") from error
        return cls(path, text, "utf-8" if bom else encoding, bom)

    @classmethod
    def read(cls, path: Path) -> Source:
        """Read and decode a file; raises Unreadable."""
        return cls.decode(path, read_bytes(path))

    def encode(self, text: str) -> bytes:
        """The bytes of `text` in this file's encoding, with its byte order mark."""
        return (codecs.BOM_UTF8 if self.bom else b"") + text.encode(self.encoding)

    @cached_property
    def lines(self) -> list[str]:
        return split_lines(self.text)

    @cached_property
    def digest(self) -> str:
        """Stands for the text: that of the file's bytes."""
        try:
            return digest_of(self.encode(self.text))
        except UnicodeError:
            return digest_of(self.text.encode("utf-8", "surrogatepass"))

    @cached_property
    def is_ascii(self) -> bool:
        return self.text.isascii()

    def mentions(self, word: str) -> bool:
        """Whether `word` occurs anywhere: what does not is not worth looking for in the tree."""
        if word not in self._mentioned:
            self._mentioned[word] = word in self.text
        return self._mentioned[word]

    def lines_with(self, word: str) -> list[int]:
        """The numbers of the lines that `word` stands on."""
        if self.mentions("\r"):
            return [number for number, line in enumerate(self.lines, 1) if word in line]
        found: list[int] = []
        number, end = 1, 0
        at = self.text.find(word)
        while at >= 0:
            number += self.text.count("\n", end, at)
            found.append(number)
            end = self.text.find("\n", at)
            at = self.text.find(word, end) if end >= 0 else -1
        return found

    @cached_property
    def _mentioned(self) -> dict[str, bool]:
        return {}

    def at(self, span: Span) -> str:
        """The text of a span; what lies behind the end of a line or of the text is empty."""
        lines = self.lines[span.line - 1 : span.end_line]
        if span.end_line == span.line + len(lines) - 1:
            lines[-1:] = [each[: span.end_column] for each in lines[-1:]]
        lines[:1] = [each[span.column :] for each in lines[:1]]
        return "".join(lines)

    def span(self, node: ast.AST) -> Span:
        """Where a node of its tree stands: `ast` counts the bytes of a line."""
        assert isinstance(node, ast.expr | ast.stmt | ast.ExceptHandler | ast.alias | ast.keyword)
        end_line, end = node.end_lineno or node.lineno, node.end_col_offset or 0
        return Span(
            node.lineno,
            self._column(node.lineno, node.col_offset),
            end_line,
            self._column(end_line, end),
        )

    def _column(self, line: int, byte_column: int) -> int:
        if self.is_ascii:
            return byte_column
        return len(self.lines[line - 1].encode()[:byte_column].decode())

    def parse(self) -> ast.Module:
        """The syntax tree; raises Unreadable when this Python cannot parse the text."""
        try:
            return ast.parse(self.text)
        except SyntaxError as error:
            # Code for a newer Python than the linter's own is the usual reason.
            reason = f"cannot be parsed by Python {_VERSION}: {error.msg}"
            raise Unreadable(reason, error.lineno or 1) from error
        except (ValueError, RecursionError, MemoryError) as error:
            raise Unreadable(f"cannot be parsed: {error}") from error


def parses(text: str) -> bool:
    """Whether this Python can parse a text."""
    try:
        Source(Path(), text).parse()
    except Unreadable:
        return False
    return True

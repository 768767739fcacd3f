"""Where each node of a libcst tree stands.

libcst's own `PositionProvider` looks for line ends in every token and makes three objects for every
node. Here each node gets the numbers of its first and last token; the line and column of these are
looked up for the few nodes that somebody asks about.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

import libcst as cst
from libcst._nodes.internal import CodegenState

from logctx_lint.findings import Span
from logctx_lint.syntax.source import split_lines


class Positions(CodegenState):
    """The spans of all nodes in a module, without the white space around them."""

    def __init__(self, module: cst.Module, line_offset: int) -> None:
        """`line_offset` is what to add to the lines of the module."""
        super().__init__(module.default_indent, module.default_newline)
        self._line_offset = line_offset
        self._start: dict[cst.CSTNode, int] = {}
        self._end: dict[cst.CSTNode, int] = {}
        module._codegen(self)

    def __getitem__(self, node: cst.CSTNode) -> Span:
        return Span(*self._place(self._start[node]), *self._place(self._end[node]))

    def _place(self, token: int) -> tuple[int, int]:
        offset = self._offsets[token]
        line = bisect_right(self._lines, offset)
        return line + self._line_offset, offset - self._lines[line - 1]

    @cached_property
    def _offsets(self) -> list[int]:
        """Where each token starts in the text."""
        return list(accumulate(map(len, self.tokens), initial=0))

    @cached_property
    def _lines(self) -> list[int]:
        """Where each line starts in the text."""
        lines = split_lines("".join(self.tokens))
        return list(accumulate(map(len, lines), initial=0))

    # What libcst calls while it writes the tokens

    def before_codegen(self, node: cst.CSTNode) -> None:
        self._start[node] = len(self.tokens)

    def after_codegen(self, node: cst.CSTNode) -> None:
        self._end.setdefault(node, len(self.tokens))

    def record_syntactic_position(  # type: ignore[override]
        self,
        node: cst.CSTNode,
        *,
        start_node: cst.CSTNode | None = None,
        end_node: cst.CSTNode | None = None,
    ) -> _Recorder:
        return _Recorder(self.tokens, self._start, self._end, node, start_node, end_node)

    def pop_trailing_newline(self) -> None:
        """Not here: nodes may end behind it."""


@dataclass(slots=True)
class _Recorder:
    """Around the tokens of a node without its white space; other nodes may say where that is."""

    tokens: list[str]
    start: dict[cst.CSTNode, int]
    end: dict[cst.CSTNode, int]
    node: cst.CSTNode
    start_node: cst.CSTNode | None
    end_node: cst.CSTNode | None

    def __enter__(self) -> None:
        self.start[self.node] = len(self.tokens)

    def __exit__(self, raised: object, *_: object) -> None:
        if raised is not None:
            # The tree is too deep, and where its parts end was not recorded.
            return
        if self.start_node is not None:
            self.start[self.node] = self.start[self.start_node]
        ends = len(self.tokens) if self.end_node is None else self.end[self.end_node]
        self.end[self.node] = ends

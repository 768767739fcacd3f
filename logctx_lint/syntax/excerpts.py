"""Pieces of code as messages quote them: on one line, and not too long."""

from __future__ import annotations

import ast

_LONGEST = 60


def one_line(node: ast.AST) -> str:
    """The code of a node on one line; a string that contains line breaks is joined, too."""
    return " ".join(ast.unparse(node).split())


def shortened(text: str, longest: int = _LONGEST) -> str:
    """A text of at most so many characters, with an ellipsis in place of its end."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def excerpt(node: ast.AST) -> str:
    """The code of a node on one line, shortened."""
    return shortened(one_line(node))

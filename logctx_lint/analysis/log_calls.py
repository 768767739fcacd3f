"""Calls that write to a log: by their role, else by the names of the method and its object."""

from __future__ import annotations

import ast
import re

from logctx_lint.analysis.units import File
from logctx_lint.config.vocabulary import Role
from logctx_lint.inference.known_names import LOG_METHODS
from logctx_lint.inference.use_def import Scope
from logctx_lint.syntax.ast_walk import last_name

_LOGS = frozenset({"log", "logger", "logging"})
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")


def writes_log(file: File, call: ast.Call, scope: Scope) -> bool:
    """Whether a call logs, as far as its role says, or else the names in it."""
    return Role.LOG_WRITER in file.roles(call.func, scope) or is_named_log(call.func)


def is_named_log(func: ast.expr) -> bool:
    """`self._logger.info`, `app_log.error`: whatever the object is, its name is that of a log."""
    if not isinstance(func, ast.Attribute) or func.attr not in LOG_METHODS:
        return False
    logger = func.value.func if isinstance(func.value, ast.Call) else func.value
    words = _WORD.findall(last_name(logger))
    return any(word.lower() in _LOGS for word in words)

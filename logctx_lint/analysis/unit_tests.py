"""Methods that a test runner calls by their name."""

from __future__ import annotations

from logctx_lint.analysis.units import File
from logctx_lint.project.modules import Class

_TEST_CASE = frozenset({"unittest.case.TestCase"})
_AROUND_TESTS = frozenset({"setUp", "tearDown", "setUpClass", "tearDownClass"})


def is_run_by_unittest(file: File, name: str, owner: Class) -> bool:
    """Whether unittest, or trial, calls a method of a class, all of whose bases are known."""
    classes = file.resolver.classes
    return (
        (name.startswith("test") or name in _AROUND_TESTS)
        and classes.has_ancestor(owner, _TEST_CASE)
        and not classes.unknown_bases(owner)
    )

"""The command line. Exit codes: 0 clean, 1 findings, 2 usage or internal error."""

from __future__ import annotations

import errno
import os
import sys
import warnings
from collections.abc import Sequence

_FAILED = 2
_INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code (argparse itself exits for --help and bad flags)."""
    try:
        return _main(argv)
    except KeyboardInterrupt:
        print("logctx-lint: interrupted", file=sys.stderr)
        return _INTERRUPTED


def _main(argv: Sequence[str] | None) -> int:
    # An interruption can come while these are imported, too.
    from logctx_lint.config.settings import one_line
    from logctx_lint.errors import UserError
    from logctx_lint.frontends.cli.parser import build

    # What the linted code may not print: parsing it warns of invalid escapes and the like.
    warnings.simplefilter("ignore", SyntaxWarning)
    for name in ("stdout", "stderr"):
        # Nothing may be there, as after `>&-`, or below a service that has no console.
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        # A name or a source line that the terminal cannot show must not end the run.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    args = build().parse_args(argv)
    try:
        code: int = args.run(args)
        return code
    except UserError as error:
        print(f"logctx-lint: error: {one_line(error)}", file=sys.stderr)
    except BrokenPipeError:
        # The reader has gone, as `| head` does; what is still buffered goes nowhere, or else the
        # interpreter would complain about it at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except Exception as error:
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            print(f"logctx-lint: error: {error.strerror}", file=sys.stderr)
            return _FAILED
        if getattr(args, "verbose", 0):
            import traceback

            traceback.print_exc()
        print(
            f"logctx-lint: internal error: {type(error).__name__}: {one_line(error)}",
            file=sys.stderr,
        )
    return _FAILED

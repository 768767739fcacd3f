"""Recursion that is deeper than one stack allows: it goes on in a new thread."""

from __future__ import annotations

import threading
from collections.abc import Callable

_STACK_SIZE = 16 * 2**20
"""Bytes; what is not used of it takes no memory."""


class _Stopped(BaseException):
    """Whoever waits for this call has been interrupted."""


class DeepCalls:
    """Goes on with a call on a new stack, that of a thread, and waits for it."""

    def __init__(self) -> None:
        self._is_stopped = False

    def check(self) -> None:
        """To be called now and then inside: ends the call if nobody waits for it any more."""
        if self._is_stopped:
            raise _Stopped

    def run(self, call: Callable[[], None]) -> None:
        errors: list[BaseException] = []
        done = threading.Event()

        def run() -> None:
            try:
                call()
            except BaseException as error:
                errors.append(error)
            finally:
                done.set()

        before = threading.stack_size(_STACK_SIZE)
        try:
            thread = threading.Thread(target=run, daemon=True)
            thread.start()
        finally:
            threading.stack_size(before)
        try:
            done.wait()
        except BaseException:
            # A signal, of a time limit or of somebody who has had enough.
            self._is_stopped = True
            done.wait()
            self._is_stopped = False
            raise
        if errors:
            raise errors[0]

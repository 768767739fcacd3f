"""One mistake for each rule. `logctx-lint check` finds three, with `--profile strict` all five."""

from __future__ import annotations

import logging

from twisted.internet.defer import Deferred, gatherResults

from .store import Store

logger = logging.getLogger(__name__)


class Mailer:
    """Sends mails."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.session: Deferred[str] | None = None

    async def send(self, mail: int) -> None:
        """LCX101: a coroutine that nobody awaits never runs, so the mail is sent twice."""
        await self.store.fetch(mail)
        self.store.mark_sent(mail)

    def send_soon(self, mail: int) -> None:
        """LCX201: this is no `async def`, so it cannot await, and nothing is sent."""
        self.send(mail)

    async def try_to_send(self, mail: int) -> bool:
        """LCX301: Twisted's CancelledError is an Exception; cancelling stops nothing."""
        try:
            await self.send(mail)
        except Exception:
            logger.exception("could not send %d", mail)
            return False
        return True

    async def fetch_all(self, mails: list[int]) -> list[bytes]:
        """LCX302: a failure comes out as FirstError, and so does a cancellation."""
        return await gatherResults([self.store.fetch(mail) for mail in mails], consumeErrors=True)

    async def log_in(self) -> str:
        """LCX303: cancelling one of those who wait for the session cancels it for all."""
        if self.session is None:
            self.session = self.store.connect()
        return await self.session

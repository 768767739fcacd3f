"""An asyncio service with five mistakes in it."""

import asyncio
import logging

from .store import Store

log = logging.getLogger(__name__)


class Orders:
    def __init__(self, store: Store) -> None:
        self.store = store

    async def show(self, user: str, order: int) -> dict[str, object]:
        # A coroutine is always true: everybody may see every order.
        if not self.store.may_see(user, order):
            raise PermissionError(order)
        return await self.store.load(order)

    async def close(self, order: int) -> None:
        # Never runs: the order stays open.
        self.store.save(order)

    def on_message(self, order: int) -> None:
        # Nobody keeps the task: it may be collected before it is done.
        asyncio.create_task(self.store.save(order))

    async def poll(self) -> None:
        while True:
            try:
                await self.store.load(1)
            except BaseException:
                # Catches the cancellation, too: this loop cannot be stopped.
                log.exception("cannot load")

    def later(self, order: int) -> None:
        # The loop calls it, and throws the coroutine away.
        asyncio.get_running_loop().call_later(5, self.close, order)

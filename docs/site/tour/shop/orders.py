import asyncio
import logging

from shop.store import Store

logger = logging.getLogger(__name__)


class Orders:
    def __init__(self, store: Store) -> None:
        self.store = store

    async def ship(self, order: int) -> None:
        if self.store.is_paid(order):
            self.store.mark_shipped(order)

    async def on_order(self, order: int) -> None:
        asyncio.create_task(self.ship(order))

    async def work(self, queue: "asyncio.Queue[int]") -> None:
        while True:
            try:
                await self.ship(await queue.get())
            except BaseException:
                logger.exception("could not ship")

class Store:
    async def is_paid(self, order: int) -> bool:
        return True

    async def mark_shipped(self, order: int) -> None:
        print("shipped", order)

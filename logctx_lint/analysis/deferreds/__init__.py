"""Deferreds and Futures: their chains, who fires them, who waits for them and who else does."""

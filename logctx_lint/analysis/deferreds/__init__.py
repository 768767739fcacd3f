"""Deferreds and Futures: callback chains, who completes them, who waits for them."""

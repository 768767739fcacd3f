"""Memoization, dependency tracking and the cache on disk."""

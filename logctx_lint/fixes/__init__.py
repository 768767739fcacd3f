"""Fixes: edits of spans of the original text, and applying them."""

"""Cancellation: where it is raised, who swallows it, and which clean-up it skips."""

"""Rules about cancellation that is swallowed, shared or unsafe."""

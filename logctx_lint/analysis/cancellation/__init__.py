"""What becomes of a cancellation, whose it is, and what it leaves behind."""

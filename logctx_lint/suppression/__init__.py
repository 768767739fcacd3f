"""Comments that silence findings, and those that silence nothing."""

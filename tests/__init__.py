"""The tests, in folders named after those of the package."""

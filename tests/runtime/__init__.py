"""Tests of the reference runtime, one per behaviour of its specification."""

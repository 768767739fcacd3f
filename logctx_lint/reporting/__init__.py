"""Reports: output formats, the baseline, comparison with a revision."""

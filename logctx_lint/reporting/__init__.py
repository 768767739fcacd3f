"""What becomes of findings: output formats, the baseline, the lines that changed."""

"""From files to findings: running the rules over one file or many, with caches."""

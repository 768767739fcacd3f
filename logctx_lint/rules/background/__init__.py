"""Rules about work that is started and not waited for."""

"""Rules about awaitables that are dropped, or used as the values they give."""

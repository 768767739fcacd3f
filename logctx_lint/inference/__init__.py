"""Type inference: names, types, results of calls, awaitability."""

"""What an expression is: names, types, results of calls, awaitability."""

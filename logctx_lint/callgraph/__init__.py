"""Who calls, awaits and cancels whom, over a whole project."""

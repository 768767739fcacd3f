"""What a whole project says about its names: facts, modules, types, calls."""

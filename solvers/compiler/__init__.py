"""Orders of compiler passes: search for a program, a coreset for many, replay under a budget."""

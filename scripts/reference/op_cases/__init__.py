"""One file a family of ops; each has add_cases(golden)."""

"""The architectures, by family."""

"""One page a module, with its state."""

"""Change events: what was changed that is not code."""

"""Pure components that pages share."""

"""Tools that know no product word."""

"""HTTP routes: parse, authorize, call one function, answer."""

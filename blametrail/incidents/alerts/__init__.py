"""Alerts in: what monitoring tells, which service it is about, and the incident it belongs to."""

"""Incidents: something broke, and we knew when."""

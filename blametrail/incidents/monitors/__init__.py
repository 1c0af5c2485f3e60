"""Monitors: HTTP checks that open incidents by themselves."""

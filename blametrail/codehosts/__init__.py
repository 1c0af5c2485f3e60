"""Connections to GitHub and GitLab, and what they tell of repositories."""

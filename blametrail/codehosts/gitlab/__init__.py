"""GitLab.com and self-managed GitLab, by the REST API of version 4."""

"""Organizations, people, roles, sessions, invitations."""

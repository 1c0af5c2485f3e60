"""Services, their deploy tokens, repositories and dependencies."""

"""The pages: thin, guarded, in plain HTML elements."""

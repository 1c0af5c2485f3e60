"""What may have broken it: the index of merged pull requests, kept by webhook and by poll."""

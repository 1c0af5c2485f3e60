"""Benchmarks: `python -m tests.bench [name …]`; ratios are of one run on one machine."""

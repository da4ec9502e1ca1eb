"""Benchmarks: each compares the program with a limit measured in the same run. See docs/performance.md."""

"""Each figure that README and docs claim, with the command that shows it: `python -m benchmarks.NAME`.

A benchmark prints one JSON line last. None is a test: no test asserts on time.
"""

"""Benchmarks: slidekit beside what people use today, on the same work, in the same run."""

"""Published benchmarks as sets of samples: what is asked of which dataset, and by what it is judged."""

"""What the benchmark scripts share: one workload, the contestants, and how their times are told."""

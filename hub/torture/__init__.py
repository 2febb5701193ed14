"""``hub torture``: real processes, faults drawn from a seed, and a judge apart (docs/reliability.md)."""

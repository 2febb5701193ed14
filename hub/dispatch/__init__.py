"""Claims, the fiscalise protocol, recovery, the workers' loops, the ticker (design.md §5, §6)."""

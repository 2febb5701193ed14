"""Claims, the fiscalise protocol, recovery, the workers' loops, the ticker (design.md §5, §6)."""

from hub import steps as steps

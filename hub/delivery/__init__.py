"""Report to source, e-receipt, notices: each its own row with its own retries (design.md §2.6)."""

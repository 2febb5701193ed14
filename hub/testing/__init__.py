"""What plugin authors import for their tests: contract suites, contexts in memory, simulators, faults."""

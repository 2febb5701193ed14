"""What drivers share: transports, leases, shifts, health."""

"""Drivers of registers."""

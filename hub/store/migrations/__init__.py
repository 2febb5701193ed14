"""Migrations of the database, from the first."""

"""Every figure the README quotes, each with the command that makes it."""

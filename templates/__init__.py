"""Pages, receipt templates and mails, found with importlib.resources."""

"""The page, the doors and the figures: everything the hub says over HTTP."""

from hub.web.app import create_app

__all__ = ["create_app"]

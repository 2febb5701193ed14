"""``/api/v1``: the hub's own API over HTTP (flask-smorest, OpenAPI 3.1), an application of its own beside the pages.

Its answers are JSON only: no session, no cookie, no template but the page to try it.
"""

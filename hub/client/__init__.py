"""A small typed client of the hub's own API. Needs only ``requests``.

    from hub.client import Hub

    hub = Hub("https://hub.example", "hubkey_...")
    receipt = hub.create_receipt({"key": "order-1001", "lines": [...], "payments": [...]})

Every call that changes something carries an idempotency key, the same on each of its tries: a lost answer is asked for
again and nothing is done twice. :func:`verify_webhook` checks that a message comes from the hub.
"""

from hub.client.hub import Hub, HubError, Receipt, Unreachable
from hub.client.webhooks import Message, WrongSignature, verify_webhook

__all__ = ["Hub", "HubError", "Message", "Receipt", "Unreachable", "WrongSignature", "verify_webhook"]

"""The hub's own API without HTTP: keys, JSON to order and receipt to JSON, webhooks, what programs ask of registers.

hub.web.api puts it behind addresses; hub.delivery.webhooks sends what hub.api.webhooks makes.
"""

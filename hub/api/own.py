"""The hub's own API as a gateway: a shop is a source whose plugin is ``api``. Its requests come to ``/api/v1``."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

from hub import hookimpl
from hub.contracts import Answer, Gateway, PluginSettings, Request, Step, Text

NAME = "api"
#: Path of the first version's addresses.
BASE = "/api/v1"


class OwnApiSettings(PluginSettings):
    """Nothing to set: keys and webhooks stand on the shop's page."""


class OwnApi(Gateway):
    """Programs of the owner's own, over JSON with keys; hub.web.api serves them."""

    name = NAME
    title = Text("API", "API")
    summary = Text("Your own program sends receipts as JSON and hears of them by webhooks.",
                   "Ваша программа присылает чеки в JSON и узнаёт о них через вебхуки.")
    settings = OwnApiSettings

    def handle(self, request: Request) -> Answer:
        """The address of a connection is not that of the API: it says so."""
        return Answer.json({"type": "about:blank", "title": "Not found", "status": 404,
                            "detail": f"The API is at {BASE} of this hub; calls carry a key."}, 404)

    def setup(self) -> tuple[Step, ...]:
        parts = urlsplit(self.context.address)
        base = f"{parts.scheme}://{parts.netloc}"
        return (Step(Text("Give your program this address.", "Укажите в программе этот адрес."), f"{base}{BASE}"),
                Step(Text("Make a key on this page and give it to your program.",
                          "Создайте на этой странице ключ и передайте его программе.")),
                Step(Text("What the API can do, with a page to try it.",
                          "Что умеет API, и страница, чтобы попробовать."),
                     f"{base}/api/"))


@hookimpl
def hub_gateways() -> Iterable[type[Gateway]]:
    return (OwnApi,)

"""The contract suite of drivers against the simulated cloud, both forms of checks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from hub_plugins.komtet.driver import KomtetDriver
from hub_plugins.komtet.simulator import KomtetCloud

from hub.testing.driver import DriverContract
from hub.testing.simulator import Fault


class Curious(KomtetDriver):
    """Asks for its queue every time, so that a cloud that is gone is seen at once."""

    queue_seconds = 0.0


class TestKomtetCloudV2(DriverContract):
    """A cloud is no storage of ours: absence proves nothing, and several may use it."""

    driver = Curious
    reads_storage = False
    exclusive = False
    version: ClassVar[str] = "2"

    def start(self, folder: Path) -> Mapping[str, Any]:
        self.cloud = KomtetCloud(pace=0)
        self.cloud.start()
        self.running = True
        return {"host": self.cloud.url, "shop_id": "shop-1", "key": "s3cr3t-key", "queue": 7, "version": self.version}

    def stop(self) -> None:
        if self.running:
            self.cloud.stop()
        self.running = False

    def printed(self) -> int:
        return int(self.cloud.state()["printed"])

    def make_gone(self) -> None:
        self.stop()

    def lose_answer(self) -> None:
        self.cloud.faults = [Fault("lost_answer", "/task$")]

    def make_refuse(self) -> None:
        self.cloud.do_refuse("VLD00")


class TestKomtetCloudV1(TestKomtetCloudV2):
    """The old form."""

    version = "1"

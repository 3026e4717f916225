"""The air around the guest's adapter, as a process of its own: simulated sensors behind /dev/vhci, steered by tests.

Usage: `python air_process.py SOCKET`. Tests send a JSON object a line (`{"do": "away", "sensor": 0}`) and get one
back (`{"answer": ...}` or `{"error": "..."}`). Knows: the simulator. Must never know: what the host does with a sensor.

The adapter is a virtual controller behind the kernel's door for such; its link to the sensors is a virtual air in this
process. Taking the controller away closes that door, as pulling a dongle out does, and leaves the sensors on the air.
"""

import asyncio
import json
import sys
import time
from contextlib import AsyncExitStack, suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from companion.simulator.faults import Faults
from companion.simulator.ledger import Fate
from companion.simulator.peripheral import Peripheral
from companion.simulator.radio import SensorOptions, sensor_on_air
from companion.simulator.sensor import SENSOR_ADDRESS, Firmware
from companion.simulator.served import Appearance
from companion.simulator.stories import body_of

from bumble import hci  # isort: skip  # behind the door that says what to install
from companion.simulator.bumble_extra import new_air, open_transport  # isort: skip
from companion.simulator.controller import VirtualController  # isort: skip


class Steered(Firmware):
    """The firmware of a sensor that can be carried out of range, with an address and an identity to choose."""

    def __init__(self, number: int, story: str, faults: list[str], name: str) -> None:
        identity = bytes([number]) * 16
        super().__init__(body_of(story), faults=Faults.of(faults), seed=number, identity=identity)
        self.away = False
        self._number, self._name = number, name

    @property
    def appearance(self) -> Appearance:
        address = f"{SENSOR_ADDRESS[:-2]}{self._number:02X}"
        return replace(super().appearance, address=address, name=self._name)

    def link_allowed(self, now_ns: int) -> bool:
        return not self.away and super().link_allowed(now_ns)


class AirProcess:
    """Everything that tests can do: each public method is a word for `do`, its arguments are the object's others."""

    def __init__(self) -> None:
        self._stack = AsyncExitStack()
        self._plug = AsyncExitStack()
        self._air = new_air()
        self._sensors: list[Peripheral] = []

    async def reset(self, stories: list[str], faults: list[str], names: list[str], story_anew: bool) -> list[str]:
        """Everything anew: a sensor for each story, the adapter plugged in; the sensors' addresses."""
        await self.close()
        self._air = new_air()
        options = SensorOptions(story_anew=story_anew)
        for number, (story, name) in enumerate(zip(stories, names, strict=True), start=1):
            sensor = sensor_on_air(Steered(number, story, faults, name), self._air, options)
            self._sensors.append(await self._stack.enter_async_context(sensor))
        await self.plug()
        return [sensor.firmware.appearance.address for sensor in self._sensors]

    async def close(self) -> None:
        """No adapter, no sensors."""
        await self.unplug()
        self._sensors.clear()
        await self._stack.aclose()

    async def plug(self) -> None:
        """Plug the adapter in."""
        transport = await self._plug.enter_async_context(await open_transport("vhci"))
        controller = VirtualController("host", transport.source, transport.sink, link=self._air)
        self._plug.callback(controller.leave)

    async def unplug(self) -> None:
        """Pull the adapter out."""
        await self._plug.aclose()

    async def drop(self, sensor: int = 0) -> bool:
        """The sensor ends the link of its own will; whether there was one."""
        peripheral = self._sensors[sensor]
        links = list(peripheral.device.connections.values())
        for link in links:
            with suppress(hci.HCI_Error):
                await link.disconnect(hci.HCI_REMOTE_USER_TERMINATED_CONNECTION_ERROR)
        return bool(links)

    async def away(self, sensor: int = 0) -> None:
        """Out of range: the link is lost, and none can be made."""
        self._move(sensor, True)

    async def back(self, sensor: int = 0) -> None:
        """In range again."""
        self._move(sensor, False)

    async def vanish(self, seconds: float, sensor: int = 0) -> None:
        """Out of range now, and back by itself."""
        self._move(sensor, True)
        asyncio.get_running_loop().call_later(seconds, self._move, sensor, False)

    def _move(self, sensor: int, away: bool) -> None:
        peripheral = self._sensors[sensor]
        firmware = peripheral.firmware
        assert isinstance(firmware, Steered)
        firmware.away = away
        peripheral._wake.set()  # it sleeps until something is due or a host does something

    async def forget(self, sensor: int = 0) -> None:
        """Reset to factory settings: its bonds are gone, and with them the link."""
        self._sensors[sensor].forget_bonds()
        await self.drop(sensor)

    async def told(self, sensor: int = 0) -> dict[str, Any]:
        """What this sensor knows: whether it is connected, its story's time, and what became of its samples."""
        peripheral = self._sensors[sensor]
        ledger = peripheral.firmware.ledger
        fates = {fate.value: ledger.samples(fate) for fate in Fate}
        return {
            "connected": peripheral.connected,
            "story_s": peripheral.story_s(),
            "taken": list(ledger.taken.values()),
            **fates,
            "backfilled": sum(span.count for span in ledger.backfilled if span.fate is Fate.SENT),
            "spans": [asdict(span) for span in ledger.spans],
            "boot_s": time.clock_gettime(time.CLOCK_BOOTTIME),
        }


async def _serve(path: Path) -> None:
    process, over = AirProcess(), asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            writer.write((json.dumps(await _answer(process, json.loads(line))) + "\n").encode())
            await writer.drain()
        over.set()  # whoever started it is gone

    server = await asyncio.start_unix_server(talk, path, limit=2**22)
    async with server:
        print("ready", flush=True)
        await over.wait()
    await process.close()


async def _answer(process: AirProcess, asked: dict[str, Any]) -> dict[str, Any]:
    word = asked.pop("do")
    try:
        if word.startswith("_"):
            raise ValueError(word)
        return {"answer": await getattr(process, word)(**asked)}
    except Exception as error:  # the test that asked shall see it, whatever it is
        return {"error": f"{word}: {error!r}"}


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1])))

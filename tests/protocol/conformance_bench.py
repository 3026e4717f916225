"""Plays the scenes of posture_v1/conformance against a model of a firmware: no radio, no waiting, every run the same.

The rules of GATT that a server keeps, and not the firmware behind it, stand here: what is refused in the clear, and
what before indications are on.
"""

from collections.abc import Iterable

import numpy as np

from companion.simulator.body import BLOCK, Body
from companion.simulator.sensor import Firmware
from companion.simulator.served import Outgoing, Property, Served
from companion.simulator.trunk import Floats
from firmware_protocol.frames import Frame, LinkDown, LinkUp, Notification, Reading, Written
from firmware_protocol.posture_v1.conformance import (
    SCENES,
    WHOLE,
    Answered,
    Ask,
    Configure,
    Evidence,
    Listen,
    Offer,
    Pair,
    Reconnect,
    Refused,
    Reply,
    Step,
    Unsubscribe,
    Verdict,
)
from firmware_protocol.posture_v1.packets import CONTROL
from firmware_protocol.samples import STANDARD_GRAVITY_MPS2
from firmware_protocol.scripts import Read, Subscribe

MS, S = 1_000_000, 1_000_000_000
BOOT_NS = 7_000 * S  # the host's clock when the sensor was switched on
STEP_NS = 15 * MS  # a request and its answer
ON_THE_WAY_NS = 8 * MS
ADDRESS = "F4:12:3D:5A:70:01"
SUBSCRIPTION = "00002902-0000-1000-8000-00805f9b34fb"
WORDS = {
    Property.READ: "read",
    Property.WRITE: "write",
    Property.WRITE_WITHOUT_RESPONSE: "write-without-response",
    Property.NOTIFY: "notify",
    Property.INDICATE: "indicate",
}


def offer_of(served: Served) -> Offer:
    """What a host discovers of a characteristic."""
    told = served.properties & (Property.NOTIFY | Property.INDICATE)
    properties = frozenset(WORDS[each] for each in served.properties)
    return Offer(served.service, served.uuid, properties, (SUBSCRIPTION,) if told else ())


class Lying(Body):
    """A sensor on a table: 1 g, and no motion."""

    def __init__(self) -> None:
        up = np.array([0.0, 0.6, 0.8])
        forward = np.array([1.0, 0.0, 0.0])
        super().__init__(name="lying", duration_s=600.0, calibration_given=True, up_sensor=up, forward_sensor=forward)
        self._felt = np.tile(STANDARD_GRAVITY_MPS2 * up, (BLOCK, 1)), np.zeros((BLOCK, 3))

    def truth(self, t_s: Floats | float) -> tuple[Floats, Floats]:
        zero = np.zeros(np.atleast_1d(t_s).shape)
        return zero, zero

    def _motion(self, rate_hz: float, start_s: float, number: int) -> tuple[Floats, Floats]:
        return self._felt


class Bench:
    """A sensor and a host. `secure`: GATT refuses what is not encrypted; `strict`: and commands before indications."""

    def __init__(self, firmware: Firmware, *, mtu: int = 247, secure: bool = True, strict: bool = True) -> None:
        self.firmware, self.mtu = firmware, mtu
        self.secure, self.strict = secure, strict
        self.now_ns = 3 * S
        self.frames: list[Frame] = []
        self.encrypted = False
        self.subscribed: set[str] = set()
        self.evidence = Evidence(
            advertised=firmware.appearance.services, offers=tuple(map(offer_of, firmware.served)), fresh=True
        )

    def examined(self) -> list[Verdict]:
        """Everything that is said of the sensor."""
        self._connect()
        said: list[Verdict] = []
        for scene in (*SCENES, WHOLE):
            script, reply = scene.play(self.evidence), None
            try:
                step = next(script)
                while True:
                    reply = self._do(step)
                    step = script.send(reply)
            except StopIteration:
                said += self.evidence.verdicts(scene.name)
        return said

    def _do(self, step: Step) -> Reply:
        match step:
            case Read(characteristic):
                self._pass(STEP_NS)
                return self._read(characteristic)
            case Subscribe(characteristic):
                self._pass(STEP_NS)
                self.subscribed.add(characteristic)
                self.firmware.subscribed(characteristic, True)
            case Unsubscribe(characteristic):
                self._pass(STEP_NS)
                self.subscribed.discard(characteristic)
                self.firmware.subscribed(characteristic, False)
            case Configure():
                return None if self.encrypted or not self.secure else Refused(0x0F)
            case Ask():
                return self._ask(step)
            case Listen(seconds):
                self._pass(round(seconds * S))
            case Pair():
                self.encrypted = True
            case Reconnect(away_s):
                self._return(away_s)
        return None

    def _read(self, characteristic: str) -> Reply:
        if self.secure and not self.encrypted:
            return Refused(0x05)
        frame = Reading(
            t_host_ns=self._host_ns, characteristic=characteristic, data=self.firmware.read(characteristic, self.now_ns)
        )
        self._tell(frame)
        return frame

    def _ask(self, step: Ask) -> Reply:
        if self.secure and not self.encrypted:
            return Refused(0x05)
        if self.strict and CONTROL not in self.subscribed:
            return Refused(0xFD)
        sent_ns, mark = self._host_ns, len(self.frames)
        self._pass(STEP_NS)
        self._deliver(self.firmware.write(CONTROL, step.data, self.now_ns))
        self._tell(Written(t_host_ns=self._host_ns, characteristic=CONTROL, data=step.data))
        until_ns = self.now_ns + round(step.timeout_s * S)
        while (found := self._answer(step, mark)) is None and self.now_ns < until_ns:
            self._pass(20 * MS)
        return Answered(sent_ns, found)

    def _answer(self, step: Ask, mark: int) -> Notification | None:
        since = (frame for frame in self.frames[mark:] if isinstance(frame, Notification))
        return next((frame for frame in since if frame.characteristic == CONTROL and step.takes(frame.data)), None)

    def _connect(self) -> None:
        self.firmware.connected(self.now_ns, self.mtu)
        self._tell(LinkUp(t_host_ns=self._host_ns, address=ADDRESS, mtu=self.mtu))

    def _return(self, away_s: float) -> None:
        self.firmware.disconnected(self.now_ns)
        self.subscribed.clear()
        self._tell(LinkDown(t_host_ns=self._host_ns, cause="asked for"))
        self._pass(round(away_s * S))
        self._connect()

    def _pass(self, length_ns: int) -> None:
        end_ns = self.now_ns + length_ns
        while (due_ns := self.firmware.next_due_ns()) <= end_ns:
            self._deliver(self.firmware.advance(due_ns))
            self.now_ns = due_ns
        self._deliver(self.firmware.advance(end_ns))
        self.now_ns = end_ns
        self.evidence.watch.passed(self._host_ns)

    def _deliver(self, outgoing: Iterable[Outgoing]) -> None:
        for out in outgoing:
            t_ns = BOOT_NS + out.t_ns + ON_THE_WAY_NS
            self._tell(Notification(t_host_ns=t_ns, characteristic=out.characteristic, data=out.data))

    def _tell(self, frame: Frame) -> None:
        self.frames.append(frame)
        self.evidence.feed(frame)

    @property
    def _host_ns(self) -> int:
        return BOOT_NS + self.now_ns

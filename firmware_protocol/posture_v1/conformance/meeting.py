"""The first scenes: what is offered, what is refused before there is a bond, what Info says.

Pure scripts. Must never know: how a step is carried out.
"""

from firmware_protocol.frames import Reading
from firmware_protocol.posture_v1.conformance.asking import Asking, read_info
from firmware_protocol.posture_v1.conformance.evidence import Evidence
from firmware_protocol.posture_v1.conformance.steps import (
    IMPROPERLY_CONFIGURED,
    NOT_ENCRYPTED,
    Ask,
    Configure,
    Offer,
    Pair,
    Play,
    Read,
    Refused,
    Step,
)
from firmware_protocol.posture_v1.packets import (
    ACC_RANGES_G,
    CONTROL,
    GYR_RANGES_DPS,
    INFO,
    MOTION,
    PROTOCOL_MAJOR,
    PROTOCOL_MINOR,
    RATES_HZ,
    SERVICE,
    STATUS,
    Capability,
    Info,
    Time,
)

PROPERTIES = {
    MOTION: frozenset({"notify"}),
    CONTROL: frozenset({"write", "indicate"}),
    STATUS: frozenset({"read", "notify"}),
    INFO: frozenset({"read"}),
}
NAMES = {MOTION: "Motion", CONTROL: "Control", STATUS: "Status", INFO: "Info"}
SUBSCRIPTION = "00002902-0000-1000-8000-00805f9b34fb"
"""The Client Characteristic Configuration descriptor, as an assigned number."""
_OF_ACCESS = frozenset({"read", "write", "write-without-response", "notify", "indicate"})
_TIME = Time().to_bytes()


def meeting(seen: Evidence) -> Play:
    """What is advertised and offered; what is refused in the clear, and what before indications are on."""
    if seen.advertised is not None:
        seen.note("advertised", SERVICE in seen.advertised, _listed(seen.advertised))
    _layout(seen)
    if seen.over:
        return
    if seen.fresh:
        yield from _in_the_clear(seen)
    yield Pair()
    if seen.fresh:
        yield from _before_indications(seen)


def _layout(seen: Evidence) -> None:
    ours = {offer.characteristic: offer for offer in seen.offers if offer.service == SERVICE}
    for uuid, properties in PROPERTIES.items():
        if uuid not in ours:
            seen.note("gatt", False, f"there is no {NAMES[uuid]}")
            seen.over = f"there is no {NAMES[uuid]}"
            continue
        has = ours[uuid].properties & _OF_ACCESS
        seen.note("gatt", has == properties, f"{NAMES[uuid]} has {_listed(has)}")
    if all(offer.descriptors is None for offer in seen.offers):
        return  # the system tells nothing of descriptors
    for uuid in (MOTION, CONTROL, STATUS):
        if uuid in ours:
            seen.note("gatt-cccd", _subscribable(ours[uuid]), f"{NAMES[uuid]} has none")


def _subscribable(offer: Offer) -> bool:
    return SUBSCRIPTION in (offer.descriptors or ())


def _in_the_clear(seen: Evidence) -> Play:
    """Everything that may be tried without encryption."""
    tries: tuple[tuple[str, Step], ...] = (
        ("reading Info", Read(INFO)),
        ("reading Status", Read(STATUS)),
        ("writing Control", Ask(_TIME, timeout_s=0.3)),
        *((f"subscribing to {NAMES[uuid]}", Configure(uuid)) for uuid in (MOTION, CONTROL, STATUS)),
    )
    for what, step in tries:
        reply = yield step
        if not isinstance(reply, Refused):
            seen.note("security", False, f"{what} was not refused")
        elif reply.code is not None:
            seen.note("security", reply.code in NOT_ENCRYPTED, f"{what} was refused with 0x{reply.code:02X}")


def _before_indications(seen: Evidence) -> Play:
    reply = yield Ask(_TIME, timeout_s=0.3)
    if not isinstance(reply, Refused):
        seen.note("indications-off", False, "it was taken")
    elif reply.code is not None:
        told = f"it was refused with 0x{reply.code:02X}"
        seen.note("indications-off", reply.code == IMPROPERLY_CONFIGURED, told)


def information(seen: Evidence) -> Play:
    """Info, by itself."""
    info, data = yield from read_info()
    major = data[0] if data else None
    if major is not None:
        seen.note("info-version", major == PROTOCOL_MAJOR, f"it is {major}")
    seen.note("info-length", len(data) >= Info.size(), f"it has {len(data)}" if data else "it cannot be read")
    if info is None or major != PROTOCOL_MAJOR:
        seen.over = "Info cannot be read" if info is None else f"version {major} is another protocol"
        return
    seen.info, seen.info_bytes = info, data
    _offers(seen, info)
    if not info.rates_hz or not info.acc_ranges_g:
        seen.over = "nothing is offered that could be started"


def _offers(seen: Evidence, info: Info) -> None:
    rates, ranges = len(info.rates_hz), len(info.acc_ranges_g)
    seen.note("info-rates", bool(rates and ranges), f"it offers {rates} rates and {ranges} ranges")
    gyroscope = bool(info.capabilities & Capability.GYROSCOPE)
    told = f"capability {'set' if gyroscope else 'not set'}, mask 0x{info.gyr_ranges_mask:02x}"
    seen.note("info-gyroscope", gyroscope == bool(info.gyr_ranges_dps), told)
    buffer = bool(info.capabilities & Capability.BUFFER)
    told = f"capability {'set' if buffer else 'not set'}, room for {info.buffer_samples} samples"
    seen.note("info-buffer", buffer == (info.buffer_samples > 0), told)
    different = len(set(info.identity))
    seen.note("identity", different > 4, f"it is {info.identity.hex()}")
    if info.minor == PROTOCOL_MINOR:
        seen.note("info-reserved", not _unnamed(info), f"set: {_unnamed(info)}")


def _unnamed(info: Info) -> str:
    """The fields with bits that version 1.0 does not name."""
    known = sum(int(each) for each in Capability)
    fields = (
        ("capabilities", info.capabilities & ~known),
        ("rates_mask", info.rates_mask >> len(RATES_HZ)),
        ("acc_ranges_mask", info.acc_ranges_mask >> len(ACC_RANGES_G)),
        ("gyr_ranges_mask", info.gyr_ranges_mask >> len(GYR_RANGES_DPS)),
    )
    return ", ".join(name for name, bits in fields if bits)


def identity_again(seen: Evidence) -> Asking[None]:
    """Info at a later connection."""
    reply = yield Read(INFO)
    same = isinstance(reply, Reading) and reply.data == seen.info_bytes
    told = f"it was {seen.info_bytes.hex()}, then {reply.data.hex() if isinstance(reply, Reading) else 'unreadable'}"
    seen.note("info-stable", same, told)


def _listed(words: frozenset[str] | tuple[str, ...]) -> str:
    return ", ".join(sorted(words)) or "nothing"

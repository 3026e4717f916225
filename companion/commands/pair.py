"""`posture pair`: meets a sensor, remembers it, says what it gives.

Knows: the store, what was learned of a sensor. Must never know: radios, scripts, sessions.
"""

import sys
from collections.abc import Mapping
from datetime import UTC, datetime

from companion.commands.air import Act, act_of, carried_out
from companion.commands.consent import agrees, somebody_is_there
from companion.commands.meeting import SEARCH_S, Met, Wish, measured_hz, meet
from companion.commands.options import PairOptions
from companion.commands.pinned import identity_of, mended_by, not_the_one
from companion.commands.places import checked_alias, new_alias, open_data, places
from companion.commands.store import Sensor, Store
from companion.errors import DeviceNotFound, KeysRefused, UsageError
from firmware_protocol.drivers import Battery

_AGREE_PCT = 10.0
"""A rate that is measured over two seconds, with packets that come when the radio likes, is no better than this."""


_SECURITY: Mapping[str | None, str] = {
    "bonded": "bonded, as the system's Bluetooth service says",
    "paired": "paired, but the system keeps no keys: it has to be paired again each time",
    "open": "none, though it was paired: the link is not encrypted, and anyone in range can read it",
    "unknown": "not readable on this system",
    None: "none: the link is not encrypted, and anyone in range can read it",
}
_FORGOT: Mapping[bool | None, str] = {
    True: "This computer's old keys for it were removed.",
    False: "There were no old keys for it on this computer.",
    None: "This computer's old keys for it were removed, if there were any: the system does not tell.",
}


def run(options: PairOptions) -> None:
    """Pair, print what was learned; the first sensor becomes the default."""
    where = open_data(places(options.shared.data_dir))
    store = Store(where)
    act = act_of(options.simulation)
    known = _known(options.alias, store)
    met = _met(act, options, known, store)
    sensor = _sensor(met, options, store, simulated=act is not None)
    before = store.sensors().get(sensor.alias)
    if before is not None and _is_taken_over(before, sensor.identity):
        store.forget_calibrations(sensor.alias)
    store.remember(sensor)
    if before is not None and before.address != sensor.address:
        _tell_of_change(before, store)
    for line in _learned(sensor, met):
        print(line)
    is_default = store.default_alias() == sensor.alias
    print(
        "`posture monitor` uses it from now on." if is_default else f"`posture monitor {sensor.alias}` uses it.",
        file=sys.stderr,
    )


def _known(alias: str | None, store: Store) -> Sensor | None:
    """The sensor that has this alias already, if any. Raises UsageError where none could have it from now on."""
    if alias is None:
        return None
    known = store.sensors().get(checked_alias(alias))
    if known is None:
        new_alias(alias)
    return known


def _sensor(met: Met, options: PairOptions, store: Store, *, simulated: bool) -> Sensor:
    """What is remembered of a sensor that was met."""
    identity = identity_of(met.frames)
    return Sensor(
        alias=_alias(met, options, store, identity),
        driver=met.driver.name,
        address=met.found.address,
        name=met.found.name,
        identity=identity,
        rate_hz=_asked_hz(met),
        paired_utc=datetime.now(UTC).isoformat(timespec="seconds"),
        simulated="yes" if simulated else "",
        key=options.key.hex(),
    )


def _met(act: Act | None, options: PairOptions, known: Sensor | None, store: Store) -> Met:
    """The sensor that is meant: the one at the address, the one that has this alias already, or the nearest."""
    again = known if options.address is None and known is not None and bool(known.simulated) == bool(act) else None

    async def accept(met: Met) -> None:
        await _consent_to(met, options, store)

    def forgot(are_there: bool | None) -> None:
        print(_FORGOT[False if act is not None else are_there], file=sys.stderr)

    wish = Wish(
        address=options.address if again is None else again.address,
        key=options.key,
        forget=options.forget,
        may_forget=_may_forget,
        forgot=forgot,
        accept=accept,
    )
    try:
        with mended_by(options.alias):
            return carried_out(meet(act, wish))
    except DeviceNotFound as error:
        if again is None:
            raise
        raise DeviceNotFound(
            f"The sensor that is paired as {again.alias!r} was not seen within {SEARCH_S:g} s.",
            "Switch it on and bring it nearer; for another sensor under this name, add --address.",
        ) from error


async def _may_forget(refused: KeysRefused) -> bool:
    if not somebody_is_there():
        return False
    if await agrees(str(refused), "Forget this computer's old keys for it, and pair anew?"):
        return True
    raise KeysRefused("This computer's old keys stay, and the sensor is not paired.", refused.hint)


async def _consent_to(met: Met, options: PairOptions, store: Store) -> None:
    """A name whose sensor has an identity is given to another one by a person only. Raises UsageError."""
    identity = identity_of(met.frames)
    alias = _alias(met, options, store, identity)
    before = store.sensors().get(alias)
    if before is None or not _is_taken_over(before, identity):
        return
    keeps_apart = "Another name keeps them apart: posture pair NAME"
    if not somebody_is_there():
        raise UsageError(not_the_one(alias), keeps_apart)
    question = "Give it that name all the same, and forget the calibration of the other one?"
    if not await agrees(not_the_one(alias), question):
        raise UsageError(f"{alias!r} stays with its own sensor, and this one is not remembered.", keeps_apart)


def _is_taken_over(before: Sensor, identity: str) -> bool:
    """Whether the name's sensor has an identity, and not this one."""
    return bool(before.identity) and before.identity != identity


def _tell_of_change(before: Sensor, store: Store) -> None:
    """An address alone says little: some change theirs."""
    fits = " Its calibration stays; if it is another sensor: posture calibrate"
    print(
        f"{before.alias} was {before.name or before.address} ({before.driver}) before."
        + (fits if store.has_calibration(before.alias) else ""),
        file=sys.stderr,
    )


def _alias(met: Met, options: PairOptions, store: Store, identity: str) -> str:
    return options.alias or _known_alias(store, identity, met.found.address) or _free_alias(store)


def _known_alias(store: Store, identity: str, address: str) -> str | None:
    """What this very sensor is called already."""
    same = (each for each in store.sensors().values() if identity and each.identity == identity)
    found = next(same, None) or next((each for each in store.sensors().values() if each.address == address), None)
    return None if found is None else found.alias


def _free_alias(store: Store) -> str:
    taken = store.sensors()
    numbers = (f"sensor{number}" if number > 1 else "sensor" for number in range(1, len(taken) + 2))
    return next(name for name in numbers if name not in taken)


def _asked_hz(met: Met) -> str:
    """The rate that sessions will ask for: the one in force, else the driver's usual one; nothing where none can be."""
    rate_hz = None if met.driver.broadcasts else met.nominal_hz or met.driver.usual_rate_hz
    return "" if rate_hz is None else f"{rate_hz:g}"


def _learned(sensor: Sensor, met: Met) -> list[str]:
    lines = [f"{sensor.alias}: {sensor.name or sensor.address} ({sensor.driver})"]
    rate = _rate_words(met)
    if rate and not met.driver.broadcasts:  # one advertisement says nothing of how often they come
        lines.append(f"  rate     {rate}")
    lines.append(f"  gives    {'acceleration, rotation' if met.rotates else 'acceleration, no rotation'}")
    battery = _battery_words(met.battery)
    if battery:
        lines.append(f"  battery  {battery}")
    lines.append(f"  security {_security_words(sensor, met)}")
    if not sensor.identity:
        lines.append("  this kind of sensor has no identity of its own: another one could pose as it")
    return lines


def _security_words(sensor: Sensor, met: Met) -> str:
    if sensor.key:
        return "encrypted with the sensor's key"
    if sensor.simulated:
        return "simulated: nothing to read"
    return _SECURITY[None if met.bond is None else met.bond.value]


def _rate_words(met: Met) -> str:
    """The rate as measured; the nominal one where both agree."""
    nominal_hz, seen_hz = met.nominal_hz or met.driver.usual_rate_hz, measured_hz(met.samples)
    if seen_hz is None or nominal_hz is None:
        hz = seen_hz or nominal_hz
        return "" if hz is None else f"{_rounded(hz)} Hz"
    if abs(seen_hz - nominal_hz) <= nominal_hz * _AGREE_PCT / 100:
        return f"{nominal_hz:g} Hz"
    return f"{_rounded(seen_hz)} Hz seen, {nominal_hz:g} Hz asked for"


def _battery_words(battery: Battery | None) -> str:
    """Per cent, else volts."""
    if battery is None or (battery.percent is None and battery.volts is None):
        return ""
    return f"{battery.volts:.2f} V" if battery.percent is None else f"{battery.percent:.0f} %"


def _rounded(hz: float) -> str:
    """Two figures: more were not measured."""
    return f"{hz:.0f}" if hz >= 9.95 else f"{hz:.1f}"

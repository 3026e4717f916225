"""A bumble device that is found as a sensor: address, advertisement, pairing, Device Information.

Knows: bumble's device and security. Must never know: the firmware, what is measured, which controller carries it.

Pairing is LE Secure Connections or nothing.
"""

import secrets

from bumble import att, core, gatt, hci, smp
from bumble.device import Device, DeviceConfiguration
from bumble.keys import MemoryKeyStore
from bumble.pairing import PairingConfig, PairingDelegate
from bumble.transport.common import TransportSink, TransportSource

from companion.simulator.served import Appearance

ADVERTISING_INTERVAL_MS = 50.0
SHORT_NAME_LETTERS = 8
"""So many letters of a name go beside a service of 128 bits; the scan response has all of it."""
_ADVERTISEMENT_BYTES = 31
_SIG_BASE = "-0000-1000-8000-00805f9b34fb"
_FIRMWARE_REVISION = "1.0"

_Ad = core.AdvertisingData


class SecureSession(smp.Session):
    """Pairing that insists on LE Secure Connections: a host that has only the older kind is turned away."""

    async def on_smp_pairing_request_command_async(self, command: smp.SMP_Pairing_Request_Command) -> None:
        """Core specification, volume 3, part H, 2.3.1: refuse what does not meet the requirements."""
        if not command.auth_req & smp.AuthReq.SC:
            self.send_pairing_failed(smp.ErrorCode.AUTHENTICATION_REQUIREMENTS)
            return
        await super().on_smp_pairing_request_command_async(command)


def sensor_device(appearance: Appearance, source: TransportSource, sink: TransportSink) -> Device:
    """A device that is found as `appearance` says, over the controller at source and sink."""
    configuration = DeviceConfiguration(
        name=appearance.name,
        address=hci.Address(appearance.address),
        advertising_interval_min=ADVERTISING_INTERVAL_MS,
        advertising_interval_max=ADVERTISING_INTERVAL_MS,
        advertising_data=advertising_data(appearance),
        scan_response_data=scan_response_data(appearance),
        irk=secrets.token_bytes(16),
    )
    device = Device.from_config_with_hci(configuration, source, sink)
    device.keystore = MemoryKeyStore()
    device.pairing_config_factory = lambda _: just_works()
    device.smp_session_proxy = SecureSession
    return device


def just_works() -> PairingConfig:
    """Pairing without display or keys: Secure Connections, bonding, no identity to resolve."""
    keys = PairingDelegate.KeyDistribution.DISTRIBUTE_ENCRYPTION_KEY
    delegate = PairingDelegate(
        PairingDelegate.NO_OUTPUT_NO_INPUT, local_initiator_key_distribution=keys, local_responder_key_distribution=keys
    )
    return PairingConfig(sc=True, mitm=False, bonding=True, delegate=delegate)


def advertising_data(appearance: Appearance) -> bytes:
    """31 bytes hold flags, services or what a sensor that only advertises measures, and the first letters of a name."""
    flags = bytes([_Ad.LE_GENERAL_DISCOVERABLE_MODE_FLAG | _Ad.BR_EDR_NOT_SUPPORTED_FLAG])
    parts = [(_Ad.FLAGS, flags), *_services(appearance.services), *_service_data(appearance)]
    if not appearance.connectable:
        parts += _manufacturer(appearance)
    room = _ADVERTISEMENT_BYTES - len(bytes(core.AdvertisingData(parts))) - 2
    if room >= SHORT_NAME_LETTERS:
        parts.append((_Ad.SHORTENED_LOCAL_NAME, appearance.name.encode()[:SHORT_NAME_LETTERS]))
    return _fitting(parts)


def scan_response_data(appearance: Appearance) -> bytes:
    """The whole name, and the maker."""
    parts = [(_Ad.COMPLETE_LOCAL_NAME, appearance.name.encode()[:29])]
    return _fitting(parts + (_manufacturer(appearance) if appearance.connectable else []))


def _fitting(parts: list[tuple[int, bytes]]) -> bytes:
    data = bytes(core.AdvertisingData([(core.AdvertisingData.Type(kind), value) for kind, value in parts]))
    if len(data) > _ADVERTISEMENT_BYTES:
        raise ValueError(f"an advertisement holds {_ADVERTISEMENT_BYTES} bytes, not {len(data)}")
    return data


def _services(uuids: tuple[str, ...]) -> list[tuple[int, bytes]]:
    """Complete lists of services, of 16 bits where they are the standard's."""
    short = [bytes.fromhex(uuid[4:8])[::-1] for uuid in uuids if uuid.endswith(_SIG_BASE)]
    long = [core.UUID(uuid).to_bytes() for uuid in uuids if not uuid.endswith(_SIG_BASE)]
    lists = (
        (_Ad.COMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS, short),
        (_Ad.COMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS, long),
    )
    return [(int(kind), b"".join(found)) for kind, found in lists if found]


def _service_data(appearance: Appearance) -> list[tuple[int, bytes]]:
    data = appearance.service_data.items()
    return [(int(_Ad.SERVICE_DATA_16_BIT_UUID), bytes.fromhex(uuid[4:8])[::-1] + value) for uuid, value in data]


def _manufacturer(appearance: Appearance) -> list[tuple[int, bytes]]:
    kind = int(_Ad.MANUFACTURER_SPECIFIC_DATA)
    return [(kind, company.to_bytes(2, "little") + value) for company, value in appearance.manufacturer.items()]


def device_information(model: str) -> gatt.Service:
    """What every sensor says of itself, readable without pairing."""
    texts = {
        gatt.GATT_MANUFACTURER_NAME_STRING_CHARACTERISTIC: "posture companion",
        gatt.GATT_MODEL_NUMBER_STRING_CHARACTERISTIC: model,
        gatt.GATT_FIRMWARE_REVISION_STRING_CHARACTERISTIC: _FIRMWARE_REVISION,
    }
    return gatt.Service(
        gatt.GATT_DEVICE_INFORMATION_SERVICE,
        [
            gatt.Characteristic(uuid, gatt.Characteristic.Properties.READ, att.Attribute.READABLE, text.encode())
            for uuid, text in texts.items()
        ],
    )

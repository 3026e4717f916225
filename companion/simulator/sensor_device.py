"""A bumble device that is found as a posture_v1 sensor: address, advertisement, pairing, Device Information.

Knows: bumble's device and security. Must never know: the firmware, what is measured, which controller carries it.

Pairing is LE Secure Connections or nothing.
"""

import secrets

from bumble import att, core, gatt, hci, smp
from bumble.device import Device, DeviceConfiguration
from bumble.keys import MemoryKeyStore
from bumble.pairing import PairingConfig, PairingDelegate
from bumble.transport.common import TransportSink, TransportSource

from firmware_protocol.posture_v1 import packets as p

SENSOR_ADDRESS = "F4:12:3D:5A:70:01"  # static random: its two highest bits are set
ADVERTISING_INTERVAL_MS = 50.0
SHORT_NAME = "Posture"

_Ad = core.AdvertisingData


class SecureSession(smp.Session):
    """Pairing that insists on LE Secure Connections: a host that has only the older kind is turned away."""

    async def on_smp_pairing_request_command_async(self, command: smp.SMP_Pairing_Request_Command) -> None:
        """Core specification, volume 3, part H, 2.3.1: refuse what does not meet the requirements."""
        if not command.auth_req & smp.AuthReq.SC:
            self.send_pairing_failed(smp.ErrorCode.AUTHENTICATION_REQUIREMENTS)
            return
        await super().on_smp_pairing_request_command_async(command)


def sensor_device(name: str, address: str, source: TransportSource, sink: TransportSink) -> Device:
    """A device that is found as a posture_v1 sensor called `name`, over the controller at source and sink."""
    configuration = DeviceConfiguration(
        name=name,
        address=hci.Address(address),
        advertising_interval_min=ADVERTISING_INTERVAL_MS,
        advertising_interval_max=ADVERTISING_INTERVAL_MS,
        advertising_data=bytes(_advertising_data()),
        scan_response_data=bytes(core.AdvertisingData([(_Ad.COMPLETE_LOCAL_NAME, name.encode()[:29])])),
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


def _advertising_data() -> core.AdvertisingData:
    """31 bytes hold flags, service and the first letters of a name; the scan response has all of it."""
    flags = bytes([_Ad.LE_GENERAL_DISCOVERABLE_MODE_FLAG | _Ad.BR_EDR_NOT_SUPPORTED_FLAG])
    return core.AdvertisingData(
        [
            (_Ad.FLAGS, flags),
            (_Ad.COMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS, core.UUID(p.SERVICE).to_bytes()),
            (_Ad.SHORTENED_LOCAL_NAME, SHORT_NAME.encode()),
        ]
    )


def device_information() -> gatt.Service:
    """What every sensor says of itself, readable without pairing."""
    texts = {
        gatt.GATT_MANUFACTURER_NAME_STRING_CHARACTERISTIC: "posture companion",
        gatt.GATT_MODEL_NUMBER_STRING_CHARACTERISTIC: "simulated posture_v1 sensor",
        gatt.GATT_FIRMWARE_REVISION_STRING_CHARACTERISTIC: f"{p.PROTOCOL_MAJOR}.{p.PROTOCOL_MINOR}",
    }
    return gatt.Service(
        gatt.GATT_DEVICE_INFORMATION_SERVICE,
        [
            gatt.Characteristic(uuid, gatt.Characteristic.Properties.READ, att.Attribute.READABLE, text.encode())
            for uuid, text in texts.items()
        ],
    )

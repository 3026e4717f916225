"""A virtual Bluetooth controller on a virtual air, with what bumble's own leaves out.

Added: a connection attempt can be cancelled, a reset forgets everything, a scan response is the advertiser's
own, and a link can be cut as if the sensor had gone out of range. Knows: bumble's HCI and link layers. Must
never know: GATT, sensors, bleak.
"""

from bumble import hci, ll
from bumble.controller import Connection, Controller
from bumble.link import LocalLink

LINK_TIMEOUT = int(hci.HCI_ErrorCode.CONNECTION_TIMEOUT_ERROR)  # 0x08: what a host sees of a sensor out of range
_Cancel = hci.HCI_LE_Create_Connection_Cancel_Command
_Report = hci.HCI_LE_Advertising_Report_Event
_RSSI_DBM = -50
_LL_PAYLOAD = 251  # the longest that Bluetooth 4.2 and later carry in one piece


class VirtualController(Controller):
    """One controller on the air `link`; a host is set by `host`, or by a transport's source and sink."""

    # Plain advertising only: the extended kind would add traffic and nothing that a sensor needs.
    le_features = Controller.le_features & ~(
        hci.LeFeatureMask.LE_EXTENDED_ADVERTISING
        | hci.LeFeatureMask.LE_PERIODIC_ADVERTISING
        | hci.LeFeatureMask.LL_PRIVACY
    )
    le_acl_data_packet_length = _LL_PAYLOAD
    supported_max_tx_octets = _LL_PAYLOAD
    supported_max_rx_octets = _LL_PAYLOAD

    @property
    def air(self) -> LocalLink:
        """The virtual air that this controller is on."""
        return self.link

    def cut(self, reason: int = LINK_TIMEOUT) -> None:
        """Break every link; both hosts are told `reason`, an HCI error code."""
        for connection in list(self.le_connections.values()):
            self._cut(connection, reason)

    def leave(self) -> None:
        """Go off the air for good, links cut first."""
        self._forget_all()
        self.link.remove_controller(self)

    def _cut(self, connection: Connection, reason: int) -> None:
        if self.link.find_le_controller(connection.peer_address) is not None:
            connection.send_ll_control_pdu(ll.TerminateInd(reason))
        self.on_le_disconnected(connection, reason)

    def _forget_all(self) -> None:
        self.le_legacy_advertiser.stop()
        self.le_scan_enable = False
        self.pending_le_connection = None
        self.cut()

    def on_hci_reset_command(self, _command: hci.HCI_Reset_Command) -> hci.HCI_StatusReturnParameters:
        """Core specification, volume 4, part E, 7.3.2. The peers see a sensor that went out of range."""
        host, self.host = self.host, None  # after a reset no host expects to hear of earlier links
        self._forget_all()
        self.host = host
        return hci.HCI_StatusReturnParameters(hci.HCI_ErrorCode.SUCCESS)

    def on_hci_le_create_connection_cancel_command(self, _command: _Cancel) -> hci.HCI_StatusReturnParameters:
        """Core specification, volume 4, part E, 7.8.13: the attempt ends with an event of its own."""
        pending, self.pending_le_connection = self.pending_le_connection, None
        if pending is None:
            return hci.HCI_StatusReturnParameters(hci.HCI_ErrorCode.COMMAND_DISALLOWED_ERROR)
        self.send_hci_packet(
            hci.HCI_LE_Connection_Complete_Event(
                status=hci.HCI_ErrorCode.UNKNOWN_CONNECTION_IDENTIFIER_ERROR,
                connection_handle=0,
                role=hci.Role.CENTRAL,
                peer_address_type=pending.peer_address.address_type,
                peer_address=pending.peer_address,
                connection_interval=0,
                peripheral_latency=0,
                supervision_timeout=0,
                central_clock_accuracy=0,
            )
        )
        return hci.HCI_StatusReturnParameters(hci.HCI_ErrorCode.SUCCESS)

    def on_advertising_pdu(self, pdu: ll.AdvInd | ll.AdvExtInd) -> None:
        """Report an advertisement with its scan response; connect where the host waits for this address."""
        if self.le_scan_enable:
            self._tell_host(_Report.EventType.ADV_IND, pdu.advertiser_address, pdu.data)
            response = self._scan_response(pdu.advertiser_address)
            self._tell_host(_Report.EventType.SCAN_RSP, pdu.advertiser_address, response)
        pending = self.pending_le_connection
        if pending is not None and pending.peer_address == pdu.advertiser_address:
            self.create_le_connection(pdu.advertiser_address)

    def _tell_host(self, kind: int, address: hci.Address, data: bytes) -> None:
        report = _Report.Report(
            event_type=kind, address_type=address.address_type, address=address, data=data, rssi=_RSSI_DBM
        )
        self.send_hci_packet(_Report([report]))

    def _scan_response(self, address: hci.Address) -> bytes:
        for other in self.link.controllers:
            if other.le_legacy_advertiser.address == address:
                return other.le_legacy_advertiser.scan_response_data
        return b""

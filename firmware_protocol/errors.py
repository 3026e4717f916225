"""What bytes can do that the protocol does not allow. Pure; knows nothing of radios or users."""


class ProtocolError(Exception):
    """Bytes are not what the protocol allows."""


class TooShort(ProtocolError):
    """Fewer bytes than the message needs."""


class TooLong(ProtocolError):
    """More bytes than the message may have."""


class UnknownKind(ProtocolError):
    """A kind, layout, opcode or version that this side does not know."""


class BadValue(ProtocolError):
    """A field holds a value that it may not hold."""

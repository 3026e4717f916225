"""How a message of fixed length is laid out: one table of fields, read by the codec and by the documentation.

Pure. Knows: little-endian integers and bounds. Must never know: what a message is for.
"""

import struct
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

from firmware_protocol.errors import BadValue, TooLong, TooShort, UnknownKind

Kind = Literal["u8", "i8", "u16", "u32", "u64", "id"]
_CODES: dict[Kind, str] = {"u8": "B", "i8": "b", "u16": "H", "u32": "I", "u64": "Q", "id": "16s"}

NONE_YET = 0xFFFF_FFFF
"""`newest` before the first sample: the number of samples taken, minus one, modulo 2^32."""
NEWEST = "newest sample taken (inclusive) = number of samples taken - 1, mod 2^32; FFFFFFFF before the first"


@dataclass(frozen=True, slots=True)
class Field:
    """One field on the wire. The number there is the attribute's value / `unit` + `plus`."""

    name: str
    kind: Kind
    meaning: str
    unit: int = 1
    plus: int = 0

    @property
    def size(self) -> int:
        """Length in bytes."""
        return struct.calcsize("<" + _CODES[self.kind])


@dataclass(frozen=True, slots=True)
class Opcode:
    """The first byte of a message on Control: always the same number."""

    value: int

    name: ClassVar[str] = "opcode"
    kind: ClassVar[Kind] = "u8"
    size: ClassVar[int] = 1

    @property
    def meaning(self) -> str:
        """The number, for the tables."""
        return f"0x{self.value:02x}"


class Message:
    """A message of fixed length. Subclasses are frozen dataclasses that give their `LAYOUT`."""

    __slots__ = ()
    LAYOUT: ClassVar[tuple[Opcode | Field, ...]]
    VERBATIM: ClassVar[tuple[str, ...]]
    """The fields' names, where every one of them is on the wire as it is; else empty."""
    CODEC: ClassVar[struct.Struct]
    MAY_GROW: ClassVar[bool] = False
    """Later minor versions may append bytes; what lies behind the known fields is passed over."""

    def __init_subclass__(cls) -> None:
        cls.CODEC = struct.Struct("<" + "".join(_CODES[field.kind] for field in cls.LAYOUT))
        plain = [field.name for field in cls.LAYOUT if isinstance(field, Field) and (field.unit, field.plus) == (1, 0)]
        cls.VERBATIM = tuple(plain) if len(plain) == len(cls.LAYOUT) else ()

    def to_bytes(self) -> bytes:
        """The message on the wire; raises BadValue for a value that no field of its width can hold."""
        self.check()
        values = [_to_wire(self, field) for field in self.LAYOUT]
        try:
            return self.CODEC.pack(*values)
        except struct.error as error:
            raise BadValue(f"{type(self).__name__}: {error}") from error

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read the message; raises TooShort, TooLong, UnknownKind (not this opcode) or BadValue."""
        codec = cls.CODEC
        if len(data) < codec.size:
            raise TooShort(f"{cls.__name__} has {codec.size} bytes, not {len(data)}")
        if len(data) > codec.size and not cls.MAY_GROW:
            raise TooLong(f"{cls.__name__} has {codec.size} bytes, not {len(data)}")
        values = codec.unpack_from(data)
        message = cls(**(dict(zip(cls.VERBATIM, values, strict=True)) if cls.VERBATIM else cls._fields(values)))
        message.check()
        return message

    @classmethod
    def _fields(cls, values: tuple[Any, ...]) -> dict[str, Any]:
        fields: dict[str, Any] = {}
        for field, value in zip(cls.LAYOUT, values, strict=True):
            if isinstance(field, Opcode):
                if value != field.value:
                    raise UnknownKind(f"opcode 0x{value:02x} is not {cls.__name__}'s")
            else:
                fields[field.name] = value if field.kind == "id" else (value - field.plus) * field.unit
        return fields

    def check(self) -> None:
        """Raise BadValue where fields hold what they may not hold; by default anything goes."""

    @classmethod
    def size(cls) -> int:
        """Length on the wire in bytes (for one that may grow: the least)."""
        return cls.CODEC.size


def _to_wire(message: Message, field: Opcode | Field) -> Any:
    if isinstance(field, Opcode):
        return field.value
    value = getattr(message, field.name)
    if field.kind == "id":
        if len(value) != field.size:
            raise BadValue(f"{field.name} has {field.size} bytes, not {len(value)}")
        return value
    if value % field.unit:
        raise BadValue(f"{field.name} must be a multiple of {field.unit}, not {value}")
    return value // field.unit + field.plus

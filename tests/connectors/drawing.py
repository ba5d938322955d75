"""What hypothesis draws for codecs: any value of a field, and frames with damage."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from connectors.fields import Codec, Counted, Octets, OptionalUInt, Raw, Repeated, UInt
from connectors.tlv import Rest, Tlv, Tlvs


def values(spec: Any) -> st.SearchStrategy[Any]:
    """Whatever this field can hold; octet strings end in no NUL, as padding would."""
    match spec:
        case UInt():
            return st.integers(0, 256**spec.octets - 1)
        case Raw():
            return st.binary(min_size=spec.octets, max_size=spec.octets)
        case Octets():
            return st.binary(max_size=spec.octets).map(_unpadded)
        case Counted():
            return st.binary(max_size=255)
        case OptionalUInt():
            return st.none() | st.integers(0, 255)
        case Repeated():
            each = st.binary(max_size=spec.octets).map(_unpadded)
            return st.lists(each, max_size=5).map(tuple)
        case Tlvs():
            one = st.builds(Tlv, st.integers(0, 0xFFFF), st.binary(max_size=40))
            return st.lists(one, max_size=5).map(tuple)
        case Rest():
            return st.binary(max_size=3)  # shorter than a parameter's head
    raise AssertionError(f"no drawing for {spec}")


def pdus(codec: Codec[Any]) -> st.SearchStrategy[Any]:
    """Any PDU this codec can carry."""
    return st.builds(codec.pdu, **{attr: values(spec) for attr, spec in codec.layout if attr})


@st.composite
def damaged(draw: st.DrawFn, frames: list[bytes]) -> bytes:
    """One of the frames with octets cut out, put in or overwritten; its length may be right."""
    frame = draw(st.sampled_from(frames))
    start = draw(st.integers(0, len(frame)))
    stop = draw(st.integers(start, len(frame)))
    broken = frame[:start] + draw(st.binary(max_size=40)) + frame[stop:]
    return len(broken).to_bytes(4, "big") + broken[4:] if draw(st.booleans()) else broken


def _unpadded(octets: bytes) -> bytes:
    return octets.rstrip(b"\0")

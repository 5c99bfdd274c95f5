"""What a dot product or MAC under verification must answer, from the golden model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ... import golden, hdl
from ...golden.codec.codes import code_dtype
from ...golden.formats import BlockFormat, Exact, Format
from ...hdl.sums.accumulator import GROUP, KEPT, Accumulator
from ...hdl.units.dot import operand_formats
from ..engine.packing import pack, packed_bytes, port_format, unpack

Codes = NDArray[Any]

#: The widest port whose values are integers, not bytes.
_WORD = 64


def to_bus(codes: Codes, fmt: Format) -> Codes:
    """Rows of codes as a port carries them: one integer each, or bytes where 64 bits do not hold them."""
    packed = pack(codes, fmt.width)
    width = codes.shape[1] * fmt.width
    if width > _WORD:
        return packed
    dtype = code_dtype(port_format(width))
    filled = np.zeros((len(packed), dtype.itemsize), np.uint8)
    filled[:, : packed.shape[1]] = packed
    return filled.view(dtype.newbyteorder("<"))[:, 0].astype(dtype)


def from_bus(values: Codes, fmt: Format, elements: int) -> Codes:
    """The rows of codes that a port carries, the inverse of :func:`to_bus`."""
    if values.ndim == 1:
        values = values.astype("<u8").view(np.uint8).reshape(len(values), 8)[:, : packed_bytes(elements, fmt.width)]
    return unpack(np.ascontiguousarray(values), fmt.width, elements)


def bus_values(values: Codes) -> list[int]:
    """What a port carries, as integers."""
    if values.ndim == 1:
        return values.tolist()
    return [int.from_bytes(row.tobytes(), "little") for row in values]


def from_ports(accumulator: Accumulator, inputs: dict[str, Codes]) -> dict[str, Codes]:
    """The codes of every field of the operands by port, (n, elements)."""
    return {port: from_bus(inputs[port], fmt, count) for port, (fmt, count) in operand_formats(accumulator).items()}


def sums(accumulator: Accumulator, fields: dict[str, Codes], c: Codes | None = None) -> Codes:
    """c + the products of all beats: codes of ``accumulator.out``.

    Parameters
    ----------
    accumulator : Accumulator
        Formats and style.
    fields : dict of str to ndarray
        By port of the unit, codes (n, beats, elements); a single beat in the styles other than exact.
    c : ndarray, optional
        Codes (n,) that the sums start from; default: the empty sum.
    """
    (a, fa), (b, fb) = _scalars(accumulator, "a", fields), _scalars(accumulator, "b", met(accumulator, fields))
    # Integers are exact within a beat, and wrap or saturate in their own format.
    style = Exact(overflow=accumulator.parameters["overflow"]) if accumulator.style is None else accumulator.style
    rows, columns = (codes.reshape(len(codes), -1) for codes in (a, b))
    return golden.dot(rows, columns, fa, fb, c, acc=style, out=accumulator.out)


def met(accumulator: Accumulator, fields: dict[str, Codes]) -> dict[str, Codes]:
    """The fields, with only those elements of b that meet one of a."""
    if not accumulator.sparse:
        return fields
    groups = GROUP * (np.arange(accumulator.products) // KEPT)
    return fields | {"b": np.take_along_axis(fields["b"], groups + fields["a_position"].astype(np.int64), axis=-1)}


def _scalars(accumulator: Accumulator, side: str, fields: dict[str, Codes]) -> tuple[Codes, Format]:
    """Codes of one operand in a scalar format: fp64, which holds every value of a block format, where it has scales."""
    fmt, codes = getattr(accumulator, side), fields[side]
    if not isinstance(fmt, BlockFormat):
        return codes, fmt
    blocks = replace(fmt, block_size=codes.shape[-1], tensor_scale=None)
    return golden.encode(golden.decode_blocks((fields[f"{side}_scale"], codes), blocks), "fp64"), golden.format("fp64")


def dot_reference(unit: hdl.Dot, inputs: dict[str, Codes]) -> dict[str, Codes]:
    """What a dot product must answer: codes by output port."""
    fields = {port: codes[:, None] for port, codes in from_ports(unit.accumulator, inputs).items()}
    return {"d": sums(unit.accumulator, fields, inputs.get("c"))}


@dataclass(frozen=True)
class Steps:
    """The sums of a MAC, step by step; step t is one of sum number t mod ``interleave``.

    Attributes
    ----------
    before, after : ndarray
        The sum before and after the step, codes of ``acc``.
    last : ndarray of int
        The last step with ``valid`` up to this one since the last reset, of the same sum; -1 if there is none.
    """

    before: Codes
    after: Codes
    last: Codes


def mac_reference(unit: hdl.Mac, inputs: dict[str, Codes], runs: NDArray[np.int64] | None = None) -> Steps:
    """What a MAC must do in cycles in which ``en`` is 1 and ``rst`` 0, the steps, after a reset.

    Parameters
    ----------
    unit : Mac
        Formats, style and ``interleave``.
    inputs : dict of str to ndarray
        What the ports other than ``en`` and ``rst`` carry in each step.
    runs : ndarray of int, optional
        How many more resets came before each step; they end all sums.
    """
    accumulator, valid = unit.accumulator, inputs["valid"] != 0
    runs = np.zeros(len(valid), np.int64) if runs is None else runs
    fields = from_ports(accumulator, inputs)
    before, after = np.zeros((2, len(valid)), code_dtype(accumulator.out))
    # The steps that count, sum by sum; for each, the position of the step at which its sum began.
    slots = [np.arange(slot, len(valid), unit.interleave) for slot in range(unit.interleave)]
    steps = [slot[valid[slot]] for slot in slots]
    begins = np.concatenate([(inputs["clear"][part] != 0) | (np.diff(runs[part], prepend=-1) != 0) for part in steps])
    order, place = np.concatenate(steps), np.arange(len(begins))
    first = np.maximum.accumulate(np.where(begins, place, 0))
    for rank in range(int((place - first).max(initial=-1)) + 1):
        here = place[place - first == rank]
        if rank:
            before[order[here]] = after[order[here - 1]]
        if accumulator.state_is_encoded:
            taken, c = order[here, None], before[order[here]] if rank else None
        else:
            taken, c = order[first[here, None] + np.arange(rank + 1)], None
        after[order[here]] = sums(accumulator, {port: codes[taken] for port, codes in fields.items()}, c)
    last = np.full(len(valid), -1)
    for slot in slots:
        last[slot] = np.maximum.accumulate(np.where(valid[slot], slot, -1))
    last[(last >= 0) & (runs[last] != runs)] = -1
    return Steps(before, np.where(last < 0, 0, after[last]).astype(after.dtype), last)

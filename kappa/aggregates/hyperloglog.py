"""HyperLogLog registers: how many different values, in 2^p bytes.

A value's hash picks a register, which keeps the largest rank (position of the first one
bit) seen. Registers are a dict while few are set, then bytes; the estimate is the same.

The hash is the key's CRC-32, stirred to 64 bits: the same in every process and for equal
values. Two values share it with probability 2^-32, and the estimate makes up for that.

Source: Flajolet et al., "HyperLogLog", 2007; the estimator is Ertl's, "New cardinality
estimation algorithms for HyperLogLog sketches", 2017, algorithm 6: no tables of bias.
"""

from __future__ import annotations

from math import inf, log, sqrt
from typing import Any

from kappa.codec.keys import stable_hash

Registers = dict[int, int] | bytes

MIN_PRECISION = 4
MAX_PRECISION = 16
SPARSE = 16
"""Registers are a dict until more than one in this many is set."""

_MASK = (1 << 64) - 1


def stirred(number: int) -> int:
    """64 bits, each of which depends on every bit of `number` (a bijection).

    Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014.

    >>> hex(stirred(1))
    '0x910a2dec89025cc1'
    """
    mixed = (number + 0x9E3779B97F4A7C15) & _MASK
    mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9 & _MASK
    mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EB & _MASK
    return mixed ^ (mixed >> 31)


def observed(registers: Registers, value: Any, precision: int) -> Registers:
    """The registers after one more value; a dict is changed in place.

    Raises:
        RecordRefused: the value cannot be hashed alike in every process.
    """
    # NaN equals nothing, and counts as one value.
    mixed = stirred(stable_hash(value if value == value else "NaN"))
    index = mixed >> (64 - precision)
    rank = 65 - precision - (mixed & ((1 << (64 - precision)) - 1)).bit_length()
    if isinstance(registers, bytes):
        if rank > registers[index]:
            return registers[:index] + bytes((rank,)) + registers[index + 1 :]
        return registers
    if rank > registers.get(index, 0):
        registers[index] = rank
        if len(registers) * SPARSE > 1 << precision:
            return dense(registers, precision)
    return registers


def dense(registers: Registers, precision: int) -> bytes:
    """All registers as bytes."""
    if isinstance(registers, bytes):
        return registers
    out = bytearray(1 << precision)
    for index, rank in registers.items():
        out[index] = rank
    return bytes(out)


def merged(registers: Registers, others: Registers, precision: int) -> Registers:
    """The registers as if all values of both had been observed; `others` is left alone."""
    if isinstance(registers, bytes) or isinstance(others, bytes):
        return bytes(map(max, dense(registers, precision), dense(others, precision)))
    for index, rank in others.items():
        if rank > registers.get(index, 0):
            registers[index] = rank
    return dense(registers, precision) if len(registers) * SPARSE > 1 << precision else registers


def estimate(registers: Registers, precision: int) -> int:
    """How many different values were observed, rounded.

    >>> registers = {}
    >>> for value in ["a", "b", "a"]:
    ...     registers = observed(registers, value, 12)
    >>> estimate(registers, 12)
    2
    """
    if not registers:
        return 0
    size, top = 1 << precision, 64 - precision
    counts = [0] * (top + 2)
    ranks = registers if isinstance(registers, bytes) else registers.values()
    for rank in ranks:
        counts[rank] += 1
    if not isinstance(registers, bytes):
        counts[0] = size - len(registers)
    total = size * _tau(1 - counts[top + 1] / size)
    for rank in range(top, 0, -1):
        total = 0.5 * (total + counts[rank])
    total += size * _sigma(counts[0] / size)
    hashes = size * size / (2 * log(2) * total)
    # n values have 2^32 (1 - e^(-n / 2^32)) different hashes, so this many values had these.
    fill = min(hashes / 2**32, 1 - 2**-32)
    return round(-(2**32) * log(1 - fill)) if fill > 1e-4 else round(hashes)


def _sigma(share: float) -> float:
    if share == 1:
        return inf
    weight, total, before = 1.0, share, -1.0
    while total != before:
        share *= share
        before = total
        total += share * weight
        weight += weight
    return total


def _tau(share: float) -> float:
    if share in (0, 1):
        return 0.0
    weight, total, before = 1.0, 1 - share, -1.0
    while total != before:
        share = sqrt(share)
        before = total
        weight *= 0.5
        total -= (1 - share) ** 2 * weight
    return total / 3

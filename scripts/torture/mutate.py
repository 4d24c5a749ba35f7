"""Good bytes → bad bytes, by rule and seed: the same seed and number give the same mutant."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torture.fields import Field, length_fields, picture_size_fields, time_fields
from torture.originals import Original

MAX_BLOCK_BYTES = 1024
MAX_MUTANT_BYTES = 64 * 1024


@dataclass(frozen=True)
class Mutant:
    """One damaged file: from which good one, by which kinds of damage, its bytes."""

    number: int
    original: Original
    kinds: tuple[str, ...]
    data: bytes

    @property
    def name(self) -> str:
        """The file's name: `000042-h264.mp4`."""
        return f"{self.number:06d}-{self.original.name}"


def mutant_of(number: int, seed: int, originals: Sequence[Original]) -> Mutant:
    """Mutant `number` of a seed. One in four is damaged in two ways, one in ten in three."""
    rng = random.Random(f"{seed}:{number}")
    codecs = sorted({original.codec for original in originals})
    codec = codecs[number % len(codecs)]  # as many of each codec
    original = rng.choice([each for each in originals if each.codec == codec])
    kinds = tuple(rng.choices(tuple(KINDS), k=rng.choices((1, 2, 3), (65, 25, 10))[0]))
    data = original.data
    while data == original.data:  # a number may be replaced by itself
        for kind in kinds:
            data = KINDS[kind](data, rng, originals)[:MAX_MUTANT_BYTES]
    return Mutant(number, original, kinds, data)


def _flip_bits(data: bytes, rng: random.Random, _: Sequence[Original]) -> bytes:
    """One to sixty-four bits, anywhere, or all in the first kilobyte, where headers are."""
    changed = bytearray(data)
    if not changed:
        return data
    end = len(changed) if rng.random() < 0.6 else min(len(changed), 1024)
    for _ in range(2 ** rng.randrange(7)):
        changed[rng.randrange(end)] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _truncate(data: bytes, rng: random.Random, _: Sequence[Original]) -> bytes:
    """The end is missing; now and then the beginning."""
    cut = rng.randrange(len(data) + 1)
    return data[cut:] if rng.random() < 0.15 else data[:cut]


def _lie_about_lengths(data: bytes, rng: random.Random, _: Sequence[Original]) -> bytes:
    return _overwrite(data, rng, length_fields(data))


def _lie_about_sizes(data: bytes, rng: random.Random, _: Sequence[Original]) -> bytes:
    """Wide, high, nothing: in one place, or wherever the size stands."""
    return _overwrite(data, rng, picture_size_fields(data), is_everywhere=rng.random() < 0.4)


def _lie_about_times(data: bytes, rng: random.Random, _: Sequence[Original]) -> bytes:
    return _overwrite(data, rng, time_fields(data))


def _move_blocks(data: bytes, rng: random.Random, originals: Sequence[Original]) -> bytes:
    """Swap, double, zero, fill, randomise, remove or insert a block; or take one from another file."""
    if len(data) < 4:
        return data
    size = min(2 ** rng.randrange(2, 11), MAX_BLOCK_BYTES, len(data) // 2)
    at, other = rng.randrange(len(data) - size + 1), rng.randrange(len(data) - size + 1)
    block = data[at : at + size]
    match rng.choice(("swap", "double", "fill", "randomise", "remove", "insert", "splice")):
        case "swap":
            low, high = sorted((at, other))
            if high - low < size:
                return data[:low] + data[high : high + size] + data[low + size :]
            return (
                data[:low] + data[high : high + size] + data[low + size : high] + data[low : low + size]
                + data[high + size :]
            )  # fmt: skip
        case "double":
            return data[:at] + block * rng.choice((2, 2, 5)) + data[at + size :]
        case "fill":
            return data[:at] + bytes([rng.choice((0, 0, 0xFF, 0x80))]) * size + data[at + size :]
        case "randomise":
            return data[:at] + rng.randbytes(size) + data[at + size :]
        case "remove":
            return data[:at] + data[at + size :]
        case "insert":
            return data[:at] + rng.randbytes(size) + data[at:]
        case _:
            donor = rng.choice(originals).data
            start = rng.randrange(len(donor))
            return data[:at] + donor[start : start + size] + data[at + size :]


def _overwrite(
    data: bytes, rng: random.Random, fields: Sequence[Field], *, is_everywhere: bool = False
) -> bytes:
    """Give one to four of the fields another number; without any, flip bits."""
    if not fields:
        return _flip_bits(data, rng, ())
    changed = bytearray(data)
    one_for_all = _other_number(rng, 0, 16)
    for field in fields if is_everywhere else rng.choices(fields, k=rng.choice((1, 1, 2, 4))):
        place = slice(field.offset, field.offset + field.size)
        order = "big" if field.is_big_endian else "little"
        num_bits = 7 * field.size if field.is_vint else 8 * field.size
        old = int.from_bytes(changed[place], order) & ((1 << num_bits) - 1)
        new = one_for_all if is_everywhere else _other_number(rng, old, num_bits)
        marker = 1 << num_bits if field.is_vint else 0
        changed[place] = (new & ((1 << num_bits) - 1) | marker).to_bytes(field.size, order)
    return bytes(changed)


def _other_number(rng: random.Random, old: int, num_bits: int) -> int:
    """Nothing, all ones, the sign bit, one off, doubled, anything."""
    top = 1 << num_bits
    near = (old + 1, max(0, old - 1), 2 * old, old // 2, old ^ 0x100)
    ends = (0, 1, 7, 8, min(top - 1, 16384), min(top - 1, 65535), top - 1, top >> 1, (top >> 1) - 1)
    return rng.choice((*near, *ends, rng.randrange(top), rng.randrange(top)))


KINDS: dict[str, Callable[[bytes, random.Random, Sequence[Original]], bytes]] = {
    "bit flips": _flip_bits,
    "truncation": _truncate,
    "lengths": _lie_about_lengths,
    "picture sizes": _lie_about_sizes,
    "blocks": _move_blocks,
    "times": _lie_about_times,
}

"""The loops over a clip's samples, compiled by numba (which comes with librosa); they let go of Python's lock.

Importing this compiles them, once: numba keeps what it made beside this file or in the user's cache folder. Where it
may write to neither, each process compiles anew (a second or two).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numba
import numpy as np

Function = TypeVar("Function", bound=Callable[..., Any])
BLOCK = 512
"""Samples of which `walk` gives the energy: the hop of librosa's frames."""
_CHUNK = 64  # samples whose magnitudes are multiplied before their logarithm is taken


def _compiled(signature: str, *, exact: bool = False) -> Callable[[Function], Function]:
    def compile_it(function: Function) -> Function:
        jit: Any = numba.njit
        options = {"nogil": True, "error_model": "numpy", "fastmath": not exact}
        try:
            return jit(signature, cache=True, **options)(function)
        except RuntimeError:  # no folder to keep it in
            return jit(signature, **options)(function)

    return compile_it


@_compiled("Tuple((int32, uint64, uint64))(uint32[::1])", exact=True)
def digest(bits):
    """The largest magnitude among float32 samples given as their bits [N], as bits, and a hash of 128 of them.

    Bits of a magnitude order as the magnitudes do; infinities and NaN come last, from 0x7F800000 on. The hash is four
    lanes of multiply and rotate (the step of xxHash's 64-bit version): it finds copies, it keeps no secrets.
    """
    largest = np.int32(0)
    for word in bits:
        largest = max(largest, np.int32(word & np.uint32(0x7FFFFFFF)))
    first, second = np.uint64(0x9E3779B185EBCA87), np.uint64(0xC2B2AE3D27D4EB4F)
    left, right, half = np.uint64(31), np.uint64(33), np.uint64(32)
    a, b, c, d = np.uint64(bits.size), first, second, first ^ second
    whole = bits.size // 8 * 8
    for i in range(0, whole, 8):
        a = (a ^ (np.uint64(bits[i]) | np.uint64(bits[i + 1]) << half)) * second
        b = (b ^ (np.uint64(bits[i + 2]) | np.uint64(bits[i + 3]) << half)) * second
        c = (c ^ (np.uint64(bits[i + 4]) | np.uint64(bits[i + 5]) << half)) * second
        d = (d ^ (np.uint64(bits[i + 6]) | np.uint64(bits[i + 7]) << half)) * second
        a, b = a << left | a >> right, b << left | b >> right
        c, d = c << left | c >> right, d << left | d >> right
    for i in range(whole, bits.size):
        a = (a ^ np.uint64(bits[i])) * second
        a = a << left | a >> right
    return largest, (a * first ^ b) * second ^ c, (c * first ^ d) * second ^ a


@_compiled("Tuple((int64, float64, float64, float64))(float32[::1], float64[::1])")
def walk(audio, energy):
    """Of finite samples [N]: how many are not zero, the sum of all, of their magnitudes, and of these' logarithms.

    Fills `energy` [N // BLOCK + 1] with the sum of squares of each block. The logarithms of 64 magnitudes are that of
    their product, which a float64 holds unless they are tiny, or huge.
    """
    heard, total, magnitudes, logarithms = 0, 0.0, 0.0, 0.0
    energy[:] = 0
    chunks = audio.size // _CHUNK
    for chunk in range(chunks):
        samples = audio[chunk * _CHUNK : (chunk + 1) * _CHUNK]
        square, some, magnitude = np.float32(0), np.float32(0), np.float32(0)
        for i in range(_CHUNK):
            square += samples[i] * samples[i]
            some += samples[i]
            magnitude += abs(samples[i])
        product, zeros = 1.0, 0
        for i in range(_CHUNK):
            value = np.float64(abs(samples[i]))
            zeros += value == 0
            product *= value if value > 0 else 1.0
        energy[chunk * _CHUNK // BLOCK] += square
        total, magnitudes = total + np.float64(some), magnitudes + np.float64(magnitude)
        heard += _CHUNK - zeros
        if 1e-300 < product < 1e300:
            logarithms += np.log(product)
        else:
            for i in range(_CHUNK):
                if samples[i] != 0:
                    logarithms += np.log(np.float64(abs(samples[i])))
    for i in range(chunks * _CHUNK, audio.size):
        value = np.float64(audio[i])
        energy[i // BLOCK] += value * value
        total, magnitudes = total + value, magnitudes + abs(value)
        if value != 0:
            heard, logarithms = heard + 1, logarithms + np.log(abs(value))
    return heard, total, magnitudes, logarithms


@numba.njit(inline="always")
def _filtered(value, taps, state):
    """A sample through two biquads (direct form II transposed), the second with the numerator 1, -2, 1."""
    b0, b1, b2, a1, a2, c1, c2 = taps
    s0, s1, s2, s3 = state
    shelved = b0 * value + s0
    passed = shelved + s2
    return passed, (
        b1 * value - a1 * shelved + s1,
        b2 * value - a2 * shelved,
        s3 - 2 * shelved - c1 * passed,
        shelved - c2 * passed,
    )


@_compiled("void(float32[::1], float64[:, ::1], int64, float64[::1])")
def filtered_energy(audio, sections, hop, energy):
    """Fills `energy` [hops] with the sum of squares of each `hop` of audio [N >= hops hop] behind a filter.

    `sections` [2, 6] are its second-order sections, the second one's numerator 1, -2, 1. A recursive filter waits for
    its own last result: four quarters of the clip side by side do not wait for each other. Each but the first begins
    a hop early, from silence: the filter has to forget within a hop (K-weighting in 0.1 s: to 1e-10).
    """
    taps = (
        sections[0, 0], sections[0, 1], sections[0, 2], sections[0, 4], sections[0, 5], sections[1, 4], sections[1, 5],
    )  # fmt: skip
    hops = energy.size
    quarter = (hops + 3) // 4
    silence = (0.0, 0.0, 0.0, 0.0)
    state_a = state_b = state_c = state_d = silence
    last = hops - 1  # what lies behind it is read again, and counts for nothing
    for k in range(-1, quarter):
        a, b, c, d = max(k, 0), max(quarter + k, 0), max(2 * quarter + k, 0), max(3 * quarter + k, 0)
        audio_a, audio_b = audio[a * hop : (a + 1) * hop], audio[min(b, last) * hop : (min(b, last) + 1) * hop]
        audio_c = audio[min(c, last) * hop : (min(c, last) + 1) * hop]
        audio_d = audio[min(d, last) * hop : (min(d, last) + 1) * hop]
        energy_a = energy_b = energy_c = energy_d = 0.0
        for i in range(hop):
            value, state_a = _filtered(np.float64(audio_a[i]), taps, state_a)
            energy_a += value * value
            value, state_b = _filtered(np.float64(audio_b[i]), taps, state_b)
            energy_b += value * value
            value, state_c = _filtered(np.float64(audio_c[i]), taps, state_c)
            energy_c += value * value
            value, state_d = _filtered(np.float64(audio_d[i]), taps, state_d)
            energy_d += value * value
        if k < 0:
            state_a = silence
            continue
        energy[a] = energy_a
        if b < hops:
            energy[b] = energy_b
        if c < hops:
            energy[c] = energy_c
        if d < hops:
            energy[d] = energy_d


@_compiled("void(float32[::1], float32[::1], int64, float32[:, ::1])")
def windowed(audio, window, hop, frames):
    """Fills `frames` [frames, size] with the audio under a window [size], a frame every `hop` samples."""
    for frame in range(frames.shape[0]):
        samples, row = audio[frame * hop : frame * hop + window.size], frames[frame]
        for i in range(window.size):
            row[i] = samples[i] * window[i]


@_compiled("void(float32[:, ::1], float64[::1])")
def summed_power(parts, power):
    """Fills `power` [bins] with the sum over all frames, from real and imaginary parts in turn [frames, 2 bins]."""
    power[:] = 0
    for row in parts:
        for i in range(power.size):
            power[i] += np.float64(row[2 * i] * row[2 * i] + row[2 * i + 1] * row[2 * i + 1])


@_compiled("UniTuple(float64, 2)(float64[::1], int64, float64)")
def steepest_fall(levels, lobe, nothing):
    """The largest fall of levels [bins] to where nothing more comes, and the level before it.

    That is the mean of the `lobe` bins before an edge; the level behind it is the greatest from `lobe` bins and a
    twelfth of its place on, and has to be under `nothing`. 0, 0 where there is no fall.
    """
    greatest = levels.copy()
    for i in range(levels.size - 2, -1, -1):
        greatest[i] = max(greatest[i], greatest[i + 1])
    fall, before = 0.0, 0.0
    for edge in range(lobe, levels.size):
        behind = edge + lobe + edge // 12
        if behind >= levels.size:
            break
        if greatest[behind] < nothing:
            mean = levels[edge - lobe : edge].sum() / lobe
            if mean - greatest[behind] > fall:
                fall, before = mean - greatest[behind], mean
    return fall, before


@_compiled("Tuple((float64, float64, float64))(float32[:, ::1], float64)")
def floor_power(bands, quietest):
    """Of power in `bands` [frames, bands]: frames that hold any, the sum of all, and the floor.

    The floor is the sum over the bands of the mean of each one's quietest frames, a share `quietest` of them.
    """
    sounding = np.zeros(bands.shape[0], np.bool_)
    total = 0.0
    for frame in range(bands.shape[0]):
        power = 0.0
        for band in range(bands.shape[1]):
            power += np.float64(bands[frame, band])
        sounding[frame] = power > 0
        total += power
    frames = np.count_nonzero(sounding)
    if not frames:
        return 0.0, 0.0, 0.0
    count = max(1, round(quietest * frames))
    floor = 0.0
    for band in range(bands.shape[1]):
        powers = np.partition(bands[:, band][sounding], count - 1)
        for i in range(count):
            floor += np.float64(powers[i])
    return float(frames), total, floor / count


@_compiled("float64(float64[::1], float64)")
def percentile(values, share):
    """As numpy.quantile(values [N >= 1], share)."""
    place = (values.size - 1) * share
    below = int(place)
    above = min(below + 1, values.size - 1)
    ordered = np.partition(values, above)
    lower = ordered[:above].max() if above > below else ordered[above]
    return lower + (place - below) * (ordered[above] - lower)


@_compiled("float64(float64[::1], float64)")
def quietest_power(levels, share):
    """The mean square of the least of levels [N], a share of those that are not zero; 0 where all are."""
    heard = levels[levels > 0]
    if not heard.size:
        return 0.0
    count = max(1, round(share * heard.size))
    least = np.partition(heard, count - 1)
    power = 0.0
    for i in range(count):
        power += least[i] * least[i]
    return power / count


@_compiled("void(float32[:, ::1], int64[::1], float32[:, ::1])")
def band_power(parts, starts, bands):
    """Fills `bands` [frames, bands] with the power from each of the bins `starts` [bands + 1] to the next."""
    for frame in range(parts.shape[0]):
        row = parts[frame]
        for band in range(starts.size - 1):
            total = np.float32(0)
            for part in row[2 * starts[band] : 2 * starts[band + 1]]:
                total += part * part
            bands[frame, band] = total

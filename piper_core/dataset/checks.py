"""What a dataset is checked for: one table of codes, and one of limits, each with its source and help.

A limit is data: a measure, a side and a value. `rules` applies it, `sandbox` says what it would cost, the pages show
its help and let people move it: `moved({"duration-long": 12})` is the table with that one changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

Severity = Literal["error", "warning", "info"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "info")
"""Worst first."""


@dataclass(frozen=True)
class Finding:
    """One thing that was found, in one clip (`utterance_id` is set) or in the dataset as a whole."""

    code: str
    """A key of `CHECKS`."""
    severity: Severity
    """error: the clip can't be trained on; warning: it may harm the voice; info: good to know."""
    utterance_id: str | None
    path: str | None
    """Of the file meant, relative to the dataset's folder where it lies inside."""
    message: str
    value: float | None
    threshold: float | None
    unit: str
    source: str
    """Where the threshold comes from."""
    row: int | None = None
    """The row of the metadata file, from 1."""
    clips: int = 1
    """How many clips it stands for: more than 1 where most of a dataset shares a trait."""
    limit: str | None = None
    """The key of the `Limit` that was crossed, where it was one."""

    def to_dict(self) -> dict[str, Any]:
        """As the JSON report holds it."""
        return dict(vars(self))


@dataclass(frozen=True)
class Limit:
    """A number that a measure of a clip, or of the whole set, must not pass."""

    key: str
    """Names it for settings and the command line."""
    code: str
    """Of the finding that crossing it makes."""
    measure: str
    """A column of `clip_columns`, or of `set_rules.set_measures` where it starts with `set_`."""
    side: Literal["above", "below"]
    """On which side of `value` a clip is found; on the value itself it is not."""
    severity: Severity
    value: float | None
    """None: not checked."""
    unit: str
    source: str
    help: str
    """What crossing it means, for people."""
    fence_iqr: float | None = None
    """Where set, `value` is only the least: in a set that varies more, the limit lies so many IQR beyond the quartile
    (Tukey's fences), both taken from the narrower half of the set. A limit that was moved has none: then the user's
    word counts."""

    @property
    def of_set(self) -> bool:
        """Whether it is about the set as a whole rather than a clip."""
        return self.measure.startswith("set_")


@dataclass(frozen=True)
class Check:
    """A code with its usual severity, why, and its limits, the worst first."""

    code: str
    severity: Severity
    source: str
    help: str
    """What it means and what to do, for people."""
    limits: tuple[Limit, ...] = ()

    @property
    def threshold(self) -> float | None:
        """Of its first limit that has this check's severity, or None."""
        return next((limit.value for limit in self.limits if limit.severity == self.severity), None)

    @property
    def unit(self) -> str:
        """Of `threshold`."""
        return next((limit.unit for limit in self.limits if limit.severity == self.severity), "")

    def finding(
        self,
        message: str,
        *,
        utterance_id: str | None = None,
        path: str | None = None,
        value: float | None = None,
        threshold: float | None = None,
        unit: str = "",
        severity: Severity | None = None,
        row: int | None = None,
        clips: int = 1,
    ) -> Finding:
        """A finding of this check that comes from none of its limits."""
        return Finding(
            self.code, severity or self.severity, utterance_id, path, message, value, threshold, unit, self.source,
            row, clips,
        )  # fmt: skip


_OURS = "Piper Studio's choice"
_SET_OWN = "derived from the set: quartiles and {} IQR (Tukey's fences), but {} at least"

_TABLE = (
    Check("unreadable", "error", "libsndfile; lhotse#913: headers lie, so the whole file is decoded",
          "The audio can't be decoded to its end, or ends before its header says. Export the clip again."),
    Check("missing-audio", "error", "Piper drops such rows with a log line",
          "The metadata names a clip that has no audio file in wavs/, wav/ or beside the metadata."),
    Check("orphan-audio", "info", _OURS,
          "An audio file that no row of the metadata names. It is not trained on."),
    Check("non-finite", "error", "IEEE 754: a single NaN makes every weight NaN in one step",
          "The samples hold NaN or infinity. Export the clip again as 16-bit PCM."),
    Check("path-escape", "error", "CWE-22",
          "The row points outside the dataset's folder. Such files are never opened."),
    Check("columns", "error", "rhasspy/piper#516, #246",
          "The row has another number of columns than the rest; it is left out. Columns are separated by '|'."),
    Check("quote", "warning", "Piper reads metadata with csv.reader, quoting on",
          "A column starts with a double quote. Piper's own trainer then reads on to the next quote, over rows; here"
          " the row is read as it stands."),
    Check("metadata-format", "info", "RFC 4180 and the layouts' own descriptions; UTF-8 by Piper",
          "The metadata is written in an encoding, with a delimiter or with a header that was recognised, not told."
          " Look whether the texts read well; Piper's own trainer takes UTF-8, '|' and no header."),
    Check("duplicate-id", "error", "Piper trains on both rows with the same audio",
          "Two rows name the same clip. Keep the row whose text is spoken."),
    Check("duplicate-audio", "warning", "hash of the decoded samples",
          "Two clips hold the very same samples. With different texts one of them is wrong."),
    Check("duplicate-text", "info", "normalised text",
          "The same text is spoken by the same speaker more than once. Harmless, unless it was meant to be another."),
    Check("empty-text", "error", "no text, no phonemes",
          "The row has no text to speak."),
    Check("text-symbols", "warning", "espeak-ng reads digits, symbols and markup in its own way",
          "The text holds characters that may not be read as they were spoken: write them out as words."),
    Check("unknown-phoneme", "warning", "rhasspy/piper#612: Piper drops them without a word",
          "espeak-ng makes phonemes that a Piper voice has no id for; they are left out of the training."),
    Check("sample-rate", "warning", "Piper: x_low and low 16000 Hz, medium and high 22050 Hz",
          "A lower rate is upsampled, and what lies above half of it stays missing."),
    Check("channels", "info", "Piper trains on mono",
          "The clip has more than one channel; they are averaged."),
    Check("bit-depth", "warning", _OURS + ": 8 bits have a noise floor near -50 dBFS",
          "Stored with so few bits a sample that rounding is heard as noise. Export with 16 bits or more."),
    Check("duration", "warning", "VITS segment (8192 samples), espnet#4195, rhasspy/piper#8",
          "Very short clips are below one training segment; memory grows with the longest. Cut long clips at pauses."),
    Check("silent", "error", _OURS + ": below the noise of a quiet room recorded at a usual level",
          "Nothing is heard in the clip."),
    Check("clipping", "warning", "Hansen, Stauffer, Xia 2021 (ClipDaT); VoxKitchen",
          "The loudest peaks are cut off flat, which sounds harsh and is learned. Record again at a lower level."),
    Check("dc-offset", "warning", _OURS,
          "The waveform is not centred on zero. Filter it with a high-pass of 20 Hz."),
    Check("loudness", "warning", "ITU-R BS.1770-4; outliers by Tukey's outer fences (3 IQR)",
          "The clip is much louder or quieter than the others, or the whole set is quiet. Bring clips to one level."),
    Check("noise", "warning", "WADA-SNR (Kim & Stern 2008); minimum statistics (Martin 2001)",
          "Noise is heard beside the speech, and the voice learns it. Record in a quieter room, or denoise with care."),
    Check("bandwidth", "warning", "NeMo Speech Data Explorer and SDP, with a cliff",
          "Nothing is heard above a frequency though the rate has room for more: the clip was upsampled, or coded"
          " narrowly. The voice will be as dull. Use the original recording."),
    Check("edge-silence", "warning", "librosa.effects.trim; Piper's trainer keeps 0.25 s each side",
          "Long silence before or after speech. Training trims most of it."),
    Check("internal-pause", "warning", "Emilia; NeMo SDP: max_pause",
          "A long pause inside the clip: the voice learns to stop there. Cut the clip in two, or shorten the pause."),
    Check("speaking-rate", "warning", "Piper's filter_utterances",
          "Spoken much faster or slower than the speaker's other clips: is the text all that is said?"),
    Check("pitch", "warning", "median F0 as in dataspeech; outliers by Tukey's fences",
          "Much higher or lower than the speaker's other clips: perhaps another speaker. Listen."),
    Check("transcript-mismatch", "warning", "cost of aligning the clip with its text as espeak-ng speaks it",
          "The audio does not sound like its text. Listen, and correct the text."),
    Check("dataset-size", "warning", _OURS + "; rhasspy/piper#368",
          "Little speech: start from a checkpoint (warmstart) rather than from scratch, and record more."),
)  # fmt: skip

_LIMITS = (
    Limit("non-finite", "non-finite", "non_finite_samples", "above", "error", 0, "samples",
          "IEEE 754: a single NaN makes every weight NaN in one step", "Samples that are no number."),
    Limit("unknown-phoneme", "unknown-phoneme", "unknown_phonemes", "above", "warning", 0, "phonemes",
          "rhasspy/piper#612", "Phonemes of the text without an id."),
    Limit("sample-rate", "sample-rate", "sample_rate", "below", "warning", 22050, "Hz",
          "Piper: x_low and low 16000 Hz, medium and high 22050 Hz", "The voice's rate; a lower one is upsampled."),
    Limit("sample-rate-high", "sample-rate", "sample_rate", "above", "info", 22050, "Hz",
          "Piper: x_low and low 16000 Hz, medium and high 22050 Hz", "The voice's rate; a higher one is downsampled."),
    Limit("channels", "channels", "channels", "above", "info", 1, "channels", "Piper trains on mono",
          "More channels are averaged."),
    Limit("bit-depth", "bit-depth", "sample_bits", "below", "warning", 16, "bits",
          _OURS + ": 8 bits have a noise floor near -50 dBFS", "Bits a sample that the encoding keeps."),
    Limit("duration-short", "duration", "duration_s", "below", "error", 0.4, "s",
          "VITS segment: 8192 samples are 0.37 s at 22,050 Hz (espnet#4195)", "Shorter than one training segment."),
    Limit("duration-uncut", "duration", "duration_s", "above", "error", 600, "s", _OURS,
          "A recording to be cut into sentences, and no clip."),
    Limit("duration-long", "duration", "duration_s", "above", "warning", 15, "s",
          "rhasspy/piper#8; sets for speech synthesis hold 0.5 to 20 s", "The longest clip decides the memory needed."),
    Limit("silent", "silent", "loudest_frame_dbfs", "below", "error", -60, "dBFS",
          _OURS + ": below the noise of a quiet room recorded at a usual level", "The loudest 93 ms of the clip."),
    Limit("clipping-share", "clipping", "clipped_percent", "above", "error", 1, "%", "VoxKitchen",
          "Samples at 0.99 of full scale and more."),
    Limit("clipping", "clipping", "clipped_runs", "above", "warning", 0, "runs",
          "Hansen, Stauffer, Xia 2021 (ClipDaT)", "Runs of two and more samples cut off at the same height."),
    Limit("dc-offset", "dc-offset", "dc_offset_percent", "above", "warning", 1, "%", _OURS + ": of full scale",
          "How far the mean of the samples lies off zero."),
    Limit("loudness-loud", "loudness", "loudness_off_lu", "above", "warning", 6, "LU",
          "ITU-R BS.1770-4; " + _SET_OWN.format(3, "6 LU"), "Louder than the speaker's middle clip.", 3),
    Limit("loudness-quiet", "loudness", "loudness_off_lu", "below", "warning", -6, "LU",
          "ITU-R BS.1770-4; " + _SET_OWN.format(3, "6 LU"), "Quieter than the speaker's middle clip.", 3),
    Limit("set-very-quiet", "loudness", "set_loudness_lufs", "below", "warning", -36, "LUFS",
          _OURS + ": sets for speech synthesis lie between -20 and -30 LUFS", "The set's middle loudness."),
    Limit("set-quiet", "loudness", "set_loudness_lufs", "below", "info", -27, "LUFS",
          _OURS + ": sets for speech synthesis lie between -20 and -30 LUFS", "The set's middle loudness."),
    Limit("bandwidth", "bandwidth", "bandwidth_share", "below", "warning", 0.8, "of half the rate",
          _OURS + ": 16 kHz made 22,050 Hz fills 0.73; Hi-Fi TTS (arXiv 2104.01497) asks for 13 of 22 kHz",
          "Where the spectrum ends, as a share of half the clip's or the voice's rate, the lower of the two."),
    Limit("noise", "noise", "floor_snr_db", "below", "warning", 20, "dB",
          _OURS + ": measured, every clip with white noise at 20 dB is found, and none of 500 clean ones",
          "How far the clip lies above its noise floor, the quietest tenth of each frequency band."),
    Limit("noise-outlier", "noise", "floor_snr_off_db", "below", "warning", -15, "dB",
          "minimum statistics (Martin 2001); " + _SET_OWN.format(3, "15 dB"), "Noisier than the speaker's middle.", 3),
    Limit("set-noise", "noise", "set_snr_db", "below", "info", 32, "dB",
          "Hi-Fi TTS (arXiv 2104.01497): WADA-SNR of 32 dB and more", "The set's middle WADA-SNR."),
    Limit("edge-silence", "edge-silence", "edge_silence_s", "above", "warning", 1, "s",
          _OURS + ": four times the 0.25 s that Piper's trainer keeps", "The longer of the silences at the two ends."),
    Limit("internal-pause", "internal-pause", "longest_pause_s", "above", "warning", 2, "s",
          "Emilia; NeMo SDP: max_pause", "The longest silence inside the speech."),
    Limit("rate-fast", "speaking-rate", "rate_off_iqr", "above", "warning", 2, "IQR",
          "Piper's filter_utterances: up to Q3 + 2 IQR of each speaker",
          "Phonemes (or characters) a second of speech, above the speaker's upper quartile."),
    Limit("rate-slow", "speaking-rate", "rate_off_iqr", "below", "warning", -2, "IQR",
          "Piper's filter_utterances: from Q1 - 2 IQR of each speaker",
          "Phonemes (or characters) a second of speech, below the speaker's lower quartile."),
    Limit("pitch-high", "pitch", "pitch_off_semitones", "above", "warning", 3, "semitones",
          "median F0 as in dataspeech; " + _SET_OWN.format(2.25, "3 semitones"), "Above the speaker's middle.", 2.25),
    Limit("pitch-low", "pitch", "pitch_off_semitones", "below", "warning", -3, "semitones",
          "median F0 as in dataspeech; " + _SET_OWN.format(2.25, "3 semitones"), "Below the speaker's middle.", 2.25),
    Limit("transcript-unrelated", "transcript-mismatch", "transcript_cost", "above", "error", 0.5, "nats",
          "log likelihood ratio of docs/audit.md: 0 is where this text is no likelier than any other",
          "Cost of the text a frame of 20 ms: it has nothing to do with the audio."),
    Limit("transcript-mismatch", "transcript-mismatch", "transcript_cost", "above", "warning", -0.5, "nats",
          "docs/audit.md: above it 0 to 3 in 100 right texts of six voices in five languages",
          "Cost of the text a frame of 20 ms: below 0 it agrees with the audio."),
    Limit("set-clips", "dataset-size", "set_usable_clips", "below", "error", 2, "clips", "rhasspy/piper#368",
          "Clips that can be used: one to learn from and one to check with, at least."),
    Limit("set-minutes", "dataset-size", "set_usable_min", "below", "warning", 10, "min", _OURS,
          "Minutes of usable clips."),
)  # fmt: skip


def _with_limits(limits: Mapping[str, Limit]) -> Mapping[str, Check]:
    """The table of checks, each holding its own of `limits`, worst severity first."""
    ordered = sorted(limits.values(), key=lambda limit: SEVERITIES.index(limit.severity))
    return {
        check.code: replace(check, limits=tuple(limit for limit in ordered if limit.code == check.code))
        for check in _TABLE
    }


LIMITS: Mapping[str, Limit] = {limit.key: limit for limit in _LIMITS}
"""Every limit at its default, by key."""
CHECKS: Mapping[str, Check] = _with_limits(LIMITS)
"""Every check at its defaults, by code."""


def limits_of(checks: Mapping[str, Check]) -> dict[str, Limit]:
    """All limits of `checks` by key, in the table's order."""
    return {limit.key: limit for check in checks.values() for limit in check.limits}


def moved(values: Mapping[str, float | None], checks: Mapping[str, Check] = CHECKS) -> Mapping[str, Check]:
    """`checks` with the limits named by `values` put there, and no longer derived from the set; None switches one off.

    Raises ValueError for a key that no limit has.
    """
    limits = limits_of(checks)
    if unknown := sorted(set(values) - set(limits)):
        raise ValueError(f"There is no limit {unknown[0]!r}; there are {', '.join(sorted(limits))}.")
    changed = {key: replace(limits[key], value=value, fence_iqr=None) for key, value in values.items()}
    return _with_limits(limits | changed)

"""What a dataset is checked for: one table of codes with severity, threshold, unit and source.

`rules` applies the table; the pages show `help` and let people change thresholds by passing another table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
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

    def to_dict(self) -> dict[str, Any]:
        """As the JSON report holds it."""
        return asdict(self)


@dataclass(frozen=True)
class Check:
    """One rule's default severity and threshold, and why."""

    code: str
    severity: Severity
    threshold: float | None
    unit: str
    source: str
    help: str
    """What it means and what to do, for people."""

    def finding(
        self,
        message: str,
        *,
        utterance_id: str | None = None,
        path: str | None = None,
        value: float | None = None,
        threshold: float | None = None,
        severity: Severity | None = None,
        row: int | None = None,
        clips: int = 1,
    ) -> Finding:
        """A finding of this check; threshold and severity default to the check's."""
        return Finding(
            self.code, severity or self.severity, utterance_id, path, message, value,
            self.threshold if threshold is None else threshold, self.unit, self.source, row, clips,
        )  # fmt: skip


_OURS = "Piper Studio's choice"

_TABLE = (
    Check("unreadable", "error", None, "", "libsndfile; lhotse#913: headers lie, so the whole file is decoded",
          "The audio can't be decoded to its end, or ends before its header says. Export the clip again."),
    Check("missing-audio", "error", None, "", "Piper drops such rows with a log line",
          "The metadata names a clip that has no audio file in wavs/, wav/ or beside the metadata."),
    Check("orphan-audio", "info", None, "", _OURS,
          "An audio file that no row of the metadata names. It is not trained on."),
    Check("non-finite", "error", 0, "samples", "IEEE 754: a single NaN makes every weight NaN in one step",
          "The samples hold NaN or infinity. Export the clip again as 16-bit PCM."),
    Check("path-escape", "error", None, "", "CWE-22",
          "The row points outside the dataset's folder. Such files are never opened."),
    Check("columns", "error", None, "columns", "rhasspy/piper#516, #246",
          "The row has another number of columns than the rest; it is left out. Columns are separated by '|'."),
    Check("quote", "warning", None, "", "Piper reads metadata with csv.reader, quoting on",
          "A column starts with a double quote. Piper's own trainer then reads on to the next quote, over rows; here"
          " the row is read as it stands."),
    Check("metadata-format", "info", None, "", "RFC 4180 and the layouts' own descriptions; UTF-8 by Piper",
          "The metadata is written in an encoding, with a delimiter or with a header that was recognised, not told."
          " Look whether the texts read well; Piper's own trainer takes UTF-8, '|' and no header."),
    Check("duplicate-id", "error", None, "", "Piper trains on both rows with the same audio",
          "Two rows name the same clip. Keep the row whose text is spoken."),
    Check("duplicate-audio", "warning", None, "", "hash of the decoded samples",
          "Two clips hold the very same samples. With different texts one of them is wrong."),
    Check("duplicate-text", "info", None, "", "normalised text",
          "The same text is spoken by the same speaker more than once. Harmless, unless it was meant to be another."),
    Check("empty-text", "error", None, "", "no text, no phonemes",
          "The row has no text to speak."),
    Check("text-symbols", "warning", None, "", "espeak-ng reads digits, symbols and markup in its own way",
          "The text holds characters that may not be read as they were spoken: write them out as words."),
    Check("unknown-phoneme", "warning", 0, "phonemes", "rhasspy/piper#612: Piper drops them without a word",
          "espeak-ng makes phonemes that a Piper voice has no id for; they are left out of the training."),
    Check("sample-rate", "warning", 22050, "Hz", "Piper: x_low and low 16000 Hz, medium and high 22050 Hz",
          "A lower rate is upsampled, and what lies above half of it stays missing."),
    Check("channels", "info", 1, "channels", "Piper trains on mono",
          "The clip has more than one channel; they are averaged."),
    Check("bit-depth", "warning", 16, "bits", _OURS + ": 8 bits have a noise floor near -50 dBFS",
          "Stored with so few bits a sample that rounding is heard as noise. Export with 16 bits or more."),
    Check("duration", "warning", 15, "s", "VITS segment (8192 samples), espnet#4195, rhasspy/piper#8",
          "Very short clips are below one training segment; memory grows with the longest. Cut long clips at pauses."),
    Check("silent", "error", -60, "dBFS", _OURS + ": below the noise of a quiet room recorded at a usual level",
          "Nothing is heard in the clip."),
    Check("clipping", "warning", 1, "%", "Hansen, Stauffer, Xia 2021 (ClipDaT); VoxKitchen",
          "The loudest peaks are cut off flat, which sounds harsh and is learned. Record again at a lower level."),
    Check("dc-offset", "warning", 1, "%", _OURS + ": of full scale",
          "The waveform is not centred on zero. Filter it with a high-pass of 20 Hz."),
    Check("loudness", "warning", 6, "LU", "ITU-R BS.1770-4; outliers by Tukey's outer fences (3 IQR)",
          "The clip is much louder or quieter than the others, or the whole set is quiet. Bring clips to one level."),
    Check("noise", "warning", 32, "dB", "WADA-SNR (Kim & Stern 2008); Hi-Fi TTS (2104.01497): 32 dB",
          "Noise is heard beside the speech, and the voice learns it. Record in a quieter room, or denoise with care."),
    Check("bandwidth", "warning", 0.8, "of half the rate", "NeMo SDE: within 50 dB of the peak; Hi-Fi TTS: 13 kHz",
          "Nothing is heard above this frequency though the rate has room for it: the clip was upsampled, or coded"
          " narrowly. The voice will be as dull. Use the original recording."),
    Check("edge-silence", "warning", 1, "s", "librosa.effects.trim; Piper's trainer keeps 0.25 s each side",
          "Long silence before or after speech. Training trims most of it."),
    Check("internal-pause", "warning", 2, "s", "Emilia; NeMo SDP: max_pause",
          "A long pause inside the clip: the voice learns to stop there. Cut the clip in two, or shorten the pause."),
    Check("speaking-rate", "warning", 2, "IQR", "Piper's filter_utterances: Q1 - 2 IQR to Q3 + 2 IQR of each speaker",
          "Spoken much faster or slower than the speaker's other clips: is the text all that is said?"),
    Check("pitch", "warning", 6, "semitones", "median F0 as in dataspeech; outliers by Tukey's outer fences (3 IQR)",
          "Much higher or lower than the speaker's other clips: perhaps another speaker. Listen."),
    Check("transcript-mismatch", "warning", 3, "IQR", _OURS + ": outliers of the cost by Tukey's outer fences (3 IQR)",
          "The audio does not sound like its text as espeak-ng speaks it. Listen, and correct the text."),
    Check("dataset-size", "warning", 10, "min", _OURS + "; rhasspy/piper#368",
          "Little speech: start from a checkpoint (warmstart) rather than from scratch, and record more."),
)  # fmt: skip

CHECKS: Mapping[str, Check] = {check.code: check for check in _TABLE}

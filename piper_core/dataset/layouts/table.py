"""The layouts as a table: code, name, how it looks, and how it is recognised."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

AudioMode = Literal["link", "copy", "none"]


@dataclass(frozen=True)
class Layout:
    """One way to write down which text, and which speaker, belongs to which recording."""

    code: str
    """As `Dataset.layout` and the report say it."""
    name: str
    """For people."""
    looks: str
    """A few lines that show it."""
    recognised: str
    """How it is told from the others, a sentence."""
    speakers: bool
    """Whether it can name speakers."""
    spans: bool = False
    """Whether a clip may be a span of a longer file."""
    written_text: bool = False
    """Whether a text before normalisation may stand beside the one that is trained on."""
    plain_speakers: bool = False
    """Whether speakers name folders, or are words without spaces."""
    lone_speaker: bool = True
    """Whether it can name a speaker who is the only one."""
    one_file: bool = True
    """Whether one file, or a few, name recordings by their paths: a manifest that can be written without them."""


_TABLE = (
    Layout(
        "ljspeech", "LJSpeech: id and text",
        "metadata.csv   0001|Chapter four begins.\nwavs/0001.wav",
        "metadata.csv (or the only .csv, .txt or .tsv file with columns), two columns a line.",
        speakers=False,
    ),
    Layout(
        "ljspeech-normalised", "LJSpeech: id, text, and the text as it is spoken",
        "metadata.csv   0001|Chapter 4 begins.|Chapter four begins.\nwavs/0001.wav",
        "As LJSpeech, with three columns, the second a text much like the third.",
        speakers=False, written_text=True,
    ),
    Layout(
        "piper", "Piper: id, speaker and text",
        "metadata.csv   0001|anna|Chapter four begins.\nwavs/0001.wav",
        "As LJSpeech, with three columns, the second few and short: names of speakers.",
        speakers=True,
    ),
    Layout(
        "vctk", "VCTK: a text file a clip, a folder a speaker",
        "txt/p225/p225_001.txt\nwav48_silence_trimmed/p225/p225_001_mic1.flac   (or wav48/, wav/, wavs/)",
        "A folder txt/ with a folder a speaker, beside a folder of recordings with the same folders.",
        speakers=True, plain_speakers=True, one_file=False,
    ),
    Layout(
        "mycroft", "Mycroft: Mimic Recording Studio",
        "anna-metadata.txt   7c3f.wav|Chapter four begins.|22\n7c3f.wav",
        "A file <name>-metadata.txt, in the folder or in one beneath it, beside the recordings that it names.",
        speakers=True, plain_speakers=True, lone_speaker=False, one_file=False,
    ),
    Layout(
        "nemo", "NeMo: a manifest in JSON lines",
        'manifest.json   {"audio_filepath": "wavs/0001.wav", "duration": 1.52, "text": "Chapter four begins."}',
        "A .json or .jsonl file whose lines are objects with `audio_filepath`; `offset` and `duration` name a span.",
        speakers=True, spans=True,
    ),
    Layout(
        "audiofolder", "Hugging Face AudioFolder",
        "metadata.csv   file_name,transcription\n               data/0001.wav,Chapter four begins.\ndata/0001.wav",
        "metadata.csv with a header row, or metadata.jsonl, with `file_name`; also one in each of train/, test/ ...",
        speakers=True, written_text=True,
    ),
    Layout(
        "kaldi", "Kaldi: wav.scp and text",
        "wav.scp   0001 wavs/0001.wav\ntext      0001 Chapter four begins.\nutt2spk   0001 anna",
        "A file wav.scp beside a file text; utt2spk names speakers, segments the spans of longer recordings.",
        speakers=True, spans=True, plain_speakers=True,
    ),
    Layout(
        "folder", "A text file beside each recording",
        "0001.wav\n0001.txt   (or 0001.lab)   Chapter four begins.",
        "Recordings with a .txt or .lab file of the same name beside them; several folders are several speakers.",
        speakers=True, plain_speakers=True, lone_speaker=False, one_file=False,
    ),
)  # fmt: skip

LAYOUTS: Mapping[str, Layout] = {layout.code: layout for layout in _TABLE}

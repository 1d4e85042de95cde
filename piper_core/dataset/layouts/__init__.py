"""A folder of clips and what is written about them -> `Utterance`s: whose text belongs to which clip.

- `table`       the layouts: code, name, how each looks and how it is recognised
- `reading`     which of them a folder has
- `delimited`   LJSpeech, Piper, AudioFolder's CSV: columns
- `json_lines`  NeMo, AudioFolder's JSON lines (`fields`: what columns and keys are called)
- `kaldi`, `mycroft`, `text_files` (VCTK, and a text beside each clip)
- `rows`        what each of them gives, and how it becomes a
- `utterance`   `Dataset` of `Utterance`s
"""

from piper_core.dataset.layouts.reading import read_dataset
from piper_core.dataset.layouts.table import LAYOUTS, AudioMode, Layout
from piper_core.dataset.layouts.utterance import Dataset, Utterance
from piper_core.dataset.metadata_file import DatasetError

__all__ = ["LAYOUTS", "AudioMode", "Dataset", "DatasetError", "Layout", "Utterance", "read_dataset"]

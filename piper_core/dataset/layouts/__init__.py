"""A folder of clips and what is written about them -> `Utterance`s: whose text belongs to which clip.

- `table`      the layouts: code, name, how each looks and how it is recognised
- `utterance`  what each is read as
- `delimited`  LJSpeech and Piper: a metadata file of columns
"""

from piper_core.dataset.layouts.delimited import read_dataset
from piper_core.dataset.layouts.table import LAYOUTS, Layout
from piper_core.dataset.layouts.utterance import Dataset, Utterance
from piper_core.dataset.metadata_file import DatasetError

__all__ = ["LAYOUTS", "Dataset", "DatasetError", "Layout", "Utterance", "read_dataset"]

"""A folder of recordings and their texts: read it, look at every clip, and say what is wrong with it.

The way of the data, a module a step:

- `demo`        writes a small dataset spoken by espeak-ng, where nothing better is at hand
- `intake`      an uploaded zip, or many uploaded files, -> a dataset's folder
- `layouts`     a folder -> `Dataset` of `Utterance`s (which text belongs to which audio file)
- `audio`       an audio file -> `ClipMeasurements`, in one decode; also clips, mel spectrograms and waveforms to show
- `loudness`    samples -> integrated loudness (ITU-R BS.1770-4)
- `text`        a text -> phonemes and their ids, as Piper makes them
- `checks`      the table of what is checked: code, severity, threshold, unit, source
- `rules`       utterances and their measurements -> `Finding`s
- `inspection`  all of the above for a whole folder, on several threads, with progress
- `report`      `DatasetReport` -> JSON, CSV, HTML and the cleaned manifest
"""

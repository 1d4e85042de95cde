"""Everything that is true without a browser; importing it loads nothing heavy.

The way of the data, in the order of the modules:

`settings`   every setting once: name, default, unit, meaning
`dataset`    a folder of clips -> utterances -> findings -> a report and a cleaned manifest
`features`   utterances -> cached training features, keyed by content
`vits`       the model, one file a network of the paper; stands alone on torch
`training`   configuration, data, the Lightning module, the trainer process
`runs`       a run's folder: status, metrics, control, time left, launching
`voices`     checkpoints -> an exported voice -> speech
`system`     graphics cards, disk, TensorBoard, what this machine can do
`wav`        samples as a WAV file
`__main__`   the command line over the same functions that the pages call
"""

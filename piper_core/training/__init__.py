"""The trainer, a process of its own.

`config`     what a run is asked to do, torch-free
`data`       features -> padded batches
`module`     the losses and the two optimizers (Lightning)
`callbacks`  status, metrics, control, checkpoints and samples between the steps
`trainer`    the process: `python -m piper_core.training.trainer RUN`
"""

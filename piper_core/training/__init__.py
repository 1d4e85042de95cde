"""The trainer, a process of its own: `trainer` prepares features, `fit` trains, files in the run folder tell and steer.

`config`       what a run is asked to do, torch-free
`trainer`      the process, torch-free until it trains: `python -m piper_core.training.trainer RUN`
`reporter`     status.json
`fit`          networks, loaders and Lightning's Trainer put together
`data`         features -> padded batches
`module`       the five losses and the two optimizers
`schedules`    warmup of the learning rate
`averaging`    a moving average of the generator's weights
`position`     where a run goes on: its place in the epoch, for a resume that equals the unbroken run
`randomness`   what each step draws, by seed and step alone
`precision`    float32 or bfloat16, by a trial
`callbacks`    losses, time left and checkpoints, between the steps
`obedience`    stop, pause, release memory
`checkpoints`  files written whole; the best few
`samples`      what the voice says, by step
`events`       TensorBoard
"""

"""The trainer, a process of its own: `trainer` prepares features, `fit` trains, files in the run folder tell and steer.

`config`       what a run is asked to do, torch-free
`trainer`      the process, torch-free until it trains: `python -m piper_core.training.trainer RUN`
`dry_run`      what a run will need, measured before it starts, torch-free; `trial` is its process
`reporter`     status.json
`ranks`        the processes of a run on several devices: who is who, starting and watching them
`company`      rank 0 and the others, from the first process to the last word
`together`     how they meet, and hear what comes next
`reduction`    what they learn, added up
`fit`          networks, loaders and Lightning's Trainer put together
`batching`     which clips make a batch; `data` features -> padded batches
`hyper_parameters`  a configuration as Piper's checkpoints store it
`module`       the five losses and the two optimizers
`schedules`    warmup of the learning rate
`averaging`    a moving average of the generator's weights
`position`     where a run goes on: its place in the epoch, for a resume that equals the unbroken run
`randomness`   what each step draws, by seed and step alone
`memory`       a step done in smaller parts where memory runs short
`precision`    float32 or bfloat16, by a trial
`callbacks`    losses, time left and checkpoints, between the steps
`obedience`    stop, pause, release memory
`checkpoints`  files written whole; the best few
`samples`      what the voice says, by step
`events`       TensorBoard
"""

"""Do we train as piper-tts 1.8.0 does, and do its checkpoints and ours go both ways? `python -m benchmarks.parity`.

`cases`      networks, weights and real speech to compare on
`noise`      the same random numbers in two processes, in whatever order they are drawn
`step`       one whole training step of either side, in its own environment: losses and gradients to a file
`agreement`  how far two steps' losses and gradients are apart
`exchange`   checkpoints handed from one trainer to the other, each through its own command line
`legacy`     a checkpoint shaped like those of the Piper before piper-tts
"""

"""The machine that we run on. Torch-free.

- `gpu`: the CUDA devices and who uses their memory, by NVIDIA's management library.
- `disk`: what is free, and what a run needs.
- `tensorboard`: starts, reuses and stops TensorBoard.
- `machine`: cores and memory, and the training settings that suit them.
"""

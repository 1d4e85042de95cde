"""A training run: its folder, what it does, what it is asked to do, and how it is started. Torch-free.

- `run`: the run folder and its files; `list_runs`, `open_run`; JSON replaced whole.
- `status`: status.json, written by the trainer; `observe` reconciles it with the process.
- `control`: control.json, written by the web process or the command line: pause, stop, release memory.
- `memory`: asks trainers to release GPU memory, and waits for the answer.
- `metrics`: metrics.jsonl, appended by the trainer, read a little at a time and thinned for charts.
- `series`: a series of a chart, thinned as it comes.
- `eta`: how long the run still takes; pure.
- `launcher`: starts a trainer in a process of its own, and resumes one.
- `process`: whether a process is the one that was meant.
"""

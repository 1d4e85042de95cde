"""Checkpoints -> an exported voice -> speech.

Without torch, for the pages:
`catalogue`        the checkpoints of all runs, by their files
`voice`            a voice's name, its JSON and files; exporting in a process of its own
`languages`        espeak-ng's voice codes as Piper's language block
`origin`           what a checkpoint's voice is called and speaks
`synthesis`        text -> audio, through piper-tts
`pickle_names`     what a pickle would import, for refusals

With torch, for the trainer and the exporter:
`checkpoint_file`  reading a .ckpt without running what is in it
`checkpoint`       what it is; the way in to all of this
`networks`         hyper-parameters and presets -> the networks' sizes and shapes
`starts`           resume, warmstart, vocoder: which are possible, and doing it
`description`      the doctor's report
`export`           checkpoint -> .onnx and .onnx.json
"""

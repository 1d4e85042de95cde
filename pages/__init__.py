"""The pages, one file each, read top to bottom: read, guard, stop, show.

They compute nothing and never import each other.

`router`      which pages there are, and under which address
`setup`       Dataset: choose one, inspect it, hear its clips, leave some out
`train`       a dataset and a few choices -> a run
`monitor`     how the runs fare, what they sound like, what they hold of this machine
`voices`      checkpoints -> a Piper voice -> speech
`components`  what the pages draw with
"""

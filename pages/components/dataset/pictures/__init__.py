"""The pictures of a dataset, a module a theme; `pictures_view` lets one be chosen.

`clips`      the rows in recording order, as arrays to draw
`speaking`   lengths, speaking rate with outliers to click, pitch by speaker
`recording`  loudness, noise and bandwidth along the recording, and what its steps mean
`texts`      alphabet and vocabulary
`sounds`     phoneme coverage, and sentences to record
"""

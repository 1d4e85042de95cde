"""piper-tts 1.8.0 as it trains, the measure of every figure about training: an environment of its own, processes in it.

`environment`   makes that environment, once, and names its Python
`alignment`     what its wheel leaves out: its alignment search is compiled by hand there, here ours takes the place
`process`       a program that answers requests, a JSON line each; both sides of a comparison are such processes
`stepping`      training steps on request, in Lightning's own loop, for either side
`peer_steps`    the peer's steps (runs in its environment)
`our_steps`     ours (runs in this one)
`peer_prepare`  the peer's preparing of a dataset (runs in its environment)
`our_prepare`   ours (runs in this one)
"""

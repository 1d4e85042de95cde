"""What the pages draw with: pure figure builders, and parts of pages that take values and show them.

`theme`       the one look of every chart
`player`      a clip to hear, at its own loudness
`page_links`  a link to another page, with its parameters
`empty`       a page with nothing to show yet
`language`    asking for a language
`notice`      what a button did, for a minute
`quantities`  sizes, durations and rates in words

`dataset`     choose, inspect, look through, clean
`training`    the questions of the Train page, what will happen, the launch
`runs`        one run: state, curves, samples; and all runs
`machine`     cache, GPU and TensorBoard
`voices`      checkpoints into voices, and hearing them
"""

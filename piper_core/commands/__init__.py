"""What each command of the command line does: its options in, the exit status out.

`dataset`  demo, inspect, and two reports compared
`cleaning` clean: the dataset that the decisions leave, elsewhere
`training` train, status, stop, pause, resume, runs
`voices`   doctor, export, speak
`cache`    how large the cache is; clean, clear
`progress` a line on stderr while something goes on
"""

"""A run as it goes.

`run_view`          state, progress, figures, buttons; `run_state` its words
`run_curves`        its charts, from `training_figures`, drawn in place by `live_chart` so that zoom outlives the polls
`run_samples`       what it says and prints
`run_table`         all runs
"""

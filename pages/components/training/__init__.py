"""A run before it starts.

`training_form`      the questions; `training_summary` what will happen, and the launch
`trial_view`         a dry run of it, on request
`dataset_facts`      how many clips, how long, whose
`checkpoint_starts`  what a checkpoint is and which starts it allows, asked of the doctor
"""

"""What the pages draw with: pure figure builders, and parts of pages that take values and show them.

`theme`             the one look of every chart
`dataset_figures`   durations, loudness, findings by kind, waveform, mel spectrogram
`player`            a clip to hear, at its own loudness
`page_links`        a link to another page, with the dataset chosen
`recent_datasets`   the datasets opened lately, kept in the workspace
`dataset_choice`    choose a dataset: a folder, an upload, the demo
`dataset_upload`    a folder, files or a zip from the browser's machine; `file_upload` sends thousands of files
`inspection_job`    an inspection that runs beside the pages; `inspection_view` how far it is
`report_view`       totals, findings by kind, lengths and loudness, the report to take home
`clip_table`        all clips as a table: rows, filters; `clip_browser` shows it, and what is left out
`clip_view`         one clip: player, waveform, spectrogram, text, phonemes, measurements, findings
`cleaning_view`     the cleaned manifest, and the way on to training
`training_figures`  losses, smoothed, and learning rate over the steps
`live_chart`        a Plotly chart redrawn in place: zoom and hover outlive the polls
`quantities`        sizes, durations and rates in words
`training_form`     the questions of the Train page; `training_summary` what will happen, and the launch
`dataset_facts`     how many clips, how long, whose
`checkpoint_starts` what a checkpoint is and which starts it allows, asked of the doctor
`run_view`          one run: state, progress, figures, buttons; `run_state` its words
`run_curves`        the run's charts; `run_samples` what it says and prints; `run_table` all runs
`cache_panel` `gpu_panel` `tensorboard_panel`   this machine
`notice`            what a button did, for a minute
`voice_export`      checkpoints, and turning one into a voice; `voice_speaker` hearing it
"""

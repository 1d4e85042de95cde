"""What the pages draw with: pure figure builders, and parts of pages that take values and show them.

`theme`             the one look of every chart
`dataset_figures`   durations, loudness, findings by kind, waveform, mel spectrogram
`player`            a clip to hear, at its own loudness
`page_links`        a link to another page, with the dataset chosen
`recent_datasets`   the datasets opened lately, kept in the workspace
`dataset_choice`    choose a dataset: a folder, an upload, the demo
`inspection_job`    an inspection that runs beside the pages
`clip_table`        all clips as a table: rows, filters
`report_view`       totals, findings by kind, the table, the report to take home
`clip_view`         one clip: player, waveform, spectrogram, text, phonemes, measurements, findings
"""

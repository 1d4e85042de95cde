"""A dataset on the page.

`dataset_choice`   choose one: a folder, an upload, the demo; `recent_datasets` those opened lately
`dataset_upload`   a folder, files or a zip from the browser's machine; `file_upload` sends thousands of files
`inspection_job`   an inspection that runs beside the pages; `inspection_view` how far it is
`dataset_views`    which view of it is open; each view is a component with `show(inspected, folder, language)`
`report_view`      totals, findings by kind, lengths and loudness, the report to take home
`clip_table`       all clips as a table: rows, filters; `clip_browser` shows it, and what is left out
`journal_state`    the session's journal: which clips were left out, kept, edited; `totals` what that leaves
`clip_view`        one clip: player, waveform, spectrogram, text, phonemes, measurements, findings
`piper_view`       what Piper's own trainer would make of the rows
`triage_view`      the clips that need a person, one at a time, by keyboard (`keyed_player`); `triage_state` its place
`cleaning_view`    the cleaned manifest, and the way on to training; `export_view` the cleaned dataset, in any layout
`pictures_view`    pictures of the whole set, by theme; the themes are in `pictures`, their figures in `figures`
`dataset_figures`  the figures that several views draw
"""

"""Figures of a dataset and of one clip: values in, a Plotly figure out, no Streamlit.

What travels to the browser is counted, binned or thinned here, so that 100,000 clips draw as quickly as 100.

`histograms`  durations, loudness
`findings`    how often each kind of finding was raised
`rates`       speaking rate against duration, outliers to click
`order`       a measurement along the recording, with its change points
`pitches`     pitch by speaker
`words`       alphabet, word frequencies, growth of the vocabulary
`phonemes`    how often each sound occurs, and which are missing
`clip`        one clip's waveform and mel spectrogram
"""

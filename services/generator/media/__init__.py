"""The media room: composition, mixing, captions, speech, music, effects and checks of files.

Plain functions over files, run in worker processes (`python -m services.generator.media`), never on
a service's loop.
"""

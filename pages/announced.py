"""A topic that is not built yet: its question, its post, and that it is not here."""

from ui import frame, lab

frame.ensure_frame()
lab.announced(frame.current())

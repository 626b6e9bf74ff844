"""A topic that is not built yet: its question, its post, and that it is not here."""

from ui.frame import ensure_frame

ensure_frame()  # before the imports below: on a cold start the title stands while they run

from ui import frame, lab

lab.announced(frame.current())

"""The use cases a handler may call, gathered by the composition root (`app.py`)."""

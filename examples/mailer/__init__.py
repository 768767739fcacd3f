"""A very small mail service on Twisted, with five mistakes in `service.py`."""

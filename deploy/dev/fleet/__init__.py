"""A whole installation of fleetscale on this machine: private PostgreSQL and Redis and our programs.

`./dev up` keeps one in .run/; the journeys under integration/ start as many as they need.
"""

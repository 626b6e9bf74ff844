"""The implementations behind the dashboard. Imports no interface: usable from a notebook."""

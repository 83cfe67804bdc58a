"""The `stream3r` command."""

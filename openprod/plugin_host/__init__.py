"""Plugin folders: what they declare, and running what they bring."""

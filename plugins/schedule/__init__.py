"""Events, the people who attend them, and rooms."""

"""What a play says about itself: its scenes and its people."""

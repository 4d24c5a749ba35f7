"""What the tiny model is trained on and how: drawn pictures, measured labels, the checkpoint's files."""

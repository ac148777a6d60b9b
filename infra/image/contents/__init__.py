"""What the image holds: trees of files, one for each layer."""

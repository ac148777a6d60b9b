"""How an image is written: layers, their descriptions, and the archive around them."""

"""What keeps an image from being made."""


class ImageError(Exception):
    """The image cannot be made; the text says why, and what to do."""

"""What keeps the image from a Node."""

from collections.abc import Sequence


class DeliveryError(Exception):
    """The image is not on every Node; the text has a line for each that lacks it, and what to do."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)

"""What all objects of a stack's configuration have in common."""

from typing import ClassVar

from pydantic import BaseModel, ConfigDict

from infra.names import camel_case


class Section(BaseModel):
    """One object of the configuration: frozen, with camelCase keys in YAML and snake_case fields here."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=camel_case,
        populate_by_name=True,
        arbitrary_types_allowed=True,
        hide_input_in_errors=True,
    )

    # The field that a text alone, in place of the whole object, stands for; empty for none.
    SHORT: ClassVar[str] = ""

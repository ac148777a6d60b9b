"""What all objects of a stack's configuration have in common."""

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

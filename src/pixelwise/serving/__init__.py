"""A model as a service: `create_app` makes an ASGI application of predictors, `pixelwise serve`
runs it.

Needs the extra `serve`; the client alone (`pixelwise.serving.client`) does not.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pixelwise.serving.app import create_app
    from pixelwise.serving.settings import Settings

__all__ = ["Settings", "create_app"]


def __getattr__(name: str) -> Any:
    if name == "create_app":
        from pixelwise.serving.app import create_app

        return create_app
    if name == "Settings":
        from pixelwise.serving.settings import Settings

        return Settings
    raise AttributeError(f"module 'pixelwise.serving' has no attribute '{name}'")

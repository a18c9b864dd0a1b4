def demo() -> None:
    """tbd"""

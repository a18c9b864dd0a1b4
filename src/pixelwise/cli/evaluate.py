def evaluate() -> None:
    """tbd"""

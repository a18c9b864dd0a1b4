def predict() -> None:
    """tbd"""

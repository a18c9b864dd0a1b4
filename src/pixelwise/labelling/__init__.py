"""Labelling in the browser: strokes on photos, a model that answers each of them, and the data set
that they leave. Needs the extra `serve`.
"""

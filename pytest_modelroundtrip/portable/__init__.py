"""The part that travels into the clean interpreter; the test process uses it too.

It stands alone: Python 3.8 syntax, the standard library and NumPy. TensorFlow and Keras are
imported inside functions.
"""

# the environment variables that name an empty folder in a clean interpreter
FOLDERS = ("HOME", "KERAS_HOME", "TFHUB_CACHE_DIR", "TMPDIR")
START_SECONDS = 300  # for the imports of an interpreter: TensorFlow on a cold disk takes minutes

"""What can go wrong when a transform is asked for."""


class TransformException(Exception):
    """Base of every error of this package."""


class LookupException(TransformException):
    """Raise where a frame has never been heard of."""


class ConnectivityException(TransformException):
    """Raise where two known frames hang in different trees."""


class ExtrapolationException(TransformException):
    """Raise where a frame has no data around the time asked for."""


class InvalidArgumentException(TransformException):
    """Raise where an argument can never be right, like an empty frame name."""


class TimeoutException(TransformException):
    """Raise where an answer did not come in time."""

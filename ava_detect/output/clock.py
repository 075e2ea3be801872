"""Times for people."""


def clock(seconds: float) -> str:
    """Format a time in a video, or a duration, as ``m:ss`` or ``h:mm:ss``; begun seconds do not count."""
    whole = int(seconds)
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"

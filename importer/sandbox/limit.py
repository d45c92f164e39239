"""Count requests in fixed windows and turn away what is too much."""

import math
import threading

from importer.sandbox.answers import Answer, as_json
from importer.sandbox.world import World


class Limiter:
    """Count the requests of one window; the first request opens the first one."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._lock = threading.Lock()
        self._opened: float | None = None
        self._used = 0

    def admit(self) -> tuple[Answer | None, dict[str, str]]:
        """Return the refusal, if the window is used up, and the headers for whatever is answered."""
        settings = self._world.settings
        if settings.limit_per_hour is None:
            return None, {}
        with self._lock:
            now = self._world.clock()
            if self._opened is None:
                self._opened = now
            passed = (now - self._opened) // settings.window_s
            if passed:
                self._opened, self._used = self._opened + passed * settings.window_s, 0
            refused = self._used >= settings.limit_per_hour
            self._used += not refused
            left = math.ceil(self._opened + settings.window_s - now)
            headers = {
                "X-RateLimit-Limit": str(settings.limit_per_hour),
                "X-RateLimit-Remaining": str(settings.limit_per_hour - self._used),
                "X-RateLimit-Reset": str(left),
                "X-RateLimit-Policy": settings.limit_policy,
            }
        return (too_many(left) if refused else None), headers


def too_many(seconds: int) -> Answer:
    """Answer 429; nothing was carried out."""
    text = f"Rate limit is exceeded. Try again in {seconds} seconds."
    return as_json(429, {"statusCode": 429, "message": text}, {"Retry-After": str(seconds)})

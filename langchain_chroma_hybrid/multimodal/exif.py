"""When and where a picture was taken, from its EXIF; what is malformed is left out."""

from __future__ import annotations

import math
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_EXIF, _GPS = 0x8769, 0x8825
_TAKEN, _OFFSET, _CHANGED = 0x9003, 0x9011, 0x0132
_RIGHT_ANGLE, _HALF_CIRCLE = 90.0, 180.0


def facts(tags: Mapping[int, Any]) -> dict[str, str | float]:
    """`taken` (ISO 8601), `taken_at` (seconds since 1970, for ranges), `latitude`, `longitude`.

    Without an offset in the EXIF, `taken_at` counts the camera's clock as UTC.
    """
    found: dict[str, str | float] = {}
    moment = _moment(tags)
    if moment is not None:
        found["taken"] = moment.isoformat()
        found["taken_at"] = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    gps = tags.get(_GPS) or {}
    latitude = _degrees(gps.get(2), gps.get(1), _RIGHT_ANGLE)
    longitude = _degrees(gps.get(4), gps.get(3), _HALF_CIRCLE)
    if latitude is not None and longitude is not None:
        found |= {"latitude": latitude, "longitude": longitude}
    return found


def _moment(tags: Mapping[int, Any]) -> datetime | None:
    block = tags.get(_EXIF) or {}
    text = block.get(_TAKEN) or tags.get(_CHANGED)
    with suppress(TypeError, ValueError, OverflowError):
        # The camera's own clock; its offset comes in a tag of its own.
        moment = datetime.strptime(str(text).strip("\0 "), "%Y:%m:%d %H:%M:%S")  # noqa: DTZ007
        return moment.replace(tzinfo=_offset(block.get(_OFFSET)))
    return None


def _offset(text: Any) -> timezone | None:
    with suppress(TypeError, ValueError, AttributeError):
        hours, minutes = str(text).strip("\0 ").split(":")
        sign = -1 if hours.startswith("-") else 1
        return timezone(timedelta(hours=int(hours), minutes=sign * int(minutes)))
    return None


def _degrees(parts: Any, side: Any, most: float) -> float | None:
    with suppress(TypeError, ValueError, ZeroDivisionError):
        degrees, minutes, seconds = (float(part) for part in parts)
        value = degrees + minutes / 60 + seconds / 3600
        letter = side.decode("ascii", "replace") if isinstance(side, bytes) else str(side)
        if math.isfinite(value) and 0 <= value <= most:
            return round(-value if letter.strip("\0 ").upper() in ("S", "W") else value, 7)
    return None

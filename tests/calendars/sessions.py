"""Prints the sessions of exchanges as exchange_calendars knows them, as one JSON object.

Arguments: CALENDAR:FIRST_YEAR:LAST_YEAR, several. Of each: its trading days, its early closes with
their local times, and the hours of its last full session.
"""

import json
import sys

import exchange_calendars


def of(name, first_year, last_year):
    calendar = exchange_calendars.get_calendar(name, f"{first_year}-01-01", f"{last_year}-12-31")
    early = calendar.early_closes
    local = lambda time: None if time is None or str(time) == "NaT" else f"{time.tz_convert(calendar.tz):%H:%M}"
    full = [day for day in calendar.sessions if day not in early][-1]
    hours = calendar.schedule.loc[full, ["open", "break_start", "break_end", "close"]]
    return {
        "tradingDays": [f"{day:%Y-%m-%d}" for day in calendar.sessions],
        "earlyCloses": {f"{day:%Y-%m-%d}": local(calendar.session_close(day)) for day in early},
        "hours": [local(time) for time in hours],
    }


calendars = [argument.split(":") for argument in sys.argv[1:]]
print(json.dumps({name: of(name, first, last) for name, first, last in calendars}))

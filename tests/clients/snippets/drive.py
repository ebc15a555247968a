"""Three requests with one client, and one more a day later."""

import datetime
import os

import cloudconnexa


class Tomorrow(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return super().now(tz) + datetime.timedelta(days=1)


client = cloudconnexa.Client()
for day in (datetime.datetime, datetime.datetime, datetime.datetime, Tomorrow):
    cloudconnexa.datetime = day
    with client.open(os.environ["API_URL"]) as answer:
        assert answer.status == 200 and answer.read()

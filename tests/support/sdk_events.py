"""What every SDK's driver logs, as columns of its rows: three events of one user, `text_value` with metadata."""

USER = {
    "user_id": "u1",
    "user_email": "a@b.c",
    "user_ip": "1.2.3.4",
    "user_country": "US",
    "user_locale": "en_US",
    "user_app_version": "1.2",
    "user_agent": "UA/1",
    "user_custom_ids": {"companyID": "c9", "stableID": "s7"},
    "stable_id": "s7",
    "environment": "staging",
    "source": "sdk",
    "event_kind": "custom",
}
CUSTOM = {"plan": "pro", "n": 3}
PRIVATE = "hunter2"
# The event's name; value_string and value_number.
VALUES = {"text_value": ("pro", None), "number_value": (None, 12.5), "no_value": (None, None)}
METADATA_OF_TEXT_VALUE = {"plan": "yearly"}

-- Each event once: of the copies that resends made, the one that came first.
-- since, until: days of receipt in UTC, both included; copies are looked for among what came in these days.
CREATE OR REPLACE MACRO events_distinct(since := NULL, until := NULL) AS TABLE
-- The sender's own id decides, together with what no resend changes.
SELECT *
FROM events
WHERE event_id <> ''
  AND (since IS NULL OR received_date >= CAST(since AS DATE))
  AND (until IS NULL OR received_date <= CAST(until AS DATE))
QUALIFY row_number() OVER (
  PARTITION BY project, event_id, event_name, time_ms, user_id
  ORDER BY received_at, request_id, event_index
) = 1
UNION ALL
-- Without one, all that the client said of the event decides. An event without a time is like no other.
SELECT *
FROM events
WHERE coalesce(event_id, '') = ''
  AND (since IS NULL OR received_date >= CAST(since AS DATE))
  AND (until IS NULL OR received_date <= CAST(until AS DATE))
QUALIFY row_number() OVER (
  PARTITION BY
    project, event_name, time_ms, user_id, user_email, user_custom, CAST(user_custom_ids AS VARCHAR), stable_id,
    user_ip, user_agent, user_country, user_locale, user_app_version, environment, value_number, value_string, metadata,
    secondary_exposures, session_id,
    CASE WHEN coalesce(time_ms, 0) = 0 THEN request_id END,
    CASE WHEN coalesce(time_ms, 0) = 0 THEN event_index END
  ORDER BY received_at, request_id, event_index
) = 1;

CREATE OR REPLACE VIEW events_distinct AS SELECT * FROM events_distinct();

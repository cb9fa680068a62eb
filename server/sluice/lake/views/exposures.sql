-- Who an event is about: userID, stableID, or the kind of a custom ID, such as companyID.
CREATE OR REPLACE MACRO unit_id_of(unit_type, user_id, stable_id, user_custom_ids) AS
CASE lower(unit_type)
  WHEN 'userid' THEN user_id
  WHEN 'stableid' THEN stable_id
  ELSE coalesce(user_custom_ids[unit_type], user_custom_ids[lower(unit_type)])
END;

-- The first exposure of each unit to each experiment.
-- since, until: days of receipt in UTC, both included.
CREATE OR REPLACE MACRO exposures(unit_type := 'userID', since := NULL, until := NULL) AS TABLE
WITH named AS (
  SELECT
    e.project,
    unit_id_of(unit_type, e.user_id, e.stable_id, e.user_custom_ids) AS unit_id,
    CASE
      WHEN e.event_kind = 'gate_exposure' THEN 'gate'
      WHEN e.event_kind = 'layer_exposure' AND coalesce(e.allocated_experiment, '') = '' THEN 'layer'
      ELSE 'experiment'
    END AS experiment_kind,
    CASE
      WHEN e.event_kind = 'layer_exposure' THEN coalesce(nullif(e.allocated_experiment, ''), e.exposure_name)
      ELSE e.exposure_name
    END AS experiment,
    CASE
      WHEN e.event_kind <> 'gate_exposure' THEN e.rule_id
      WHEN e.exposure_value THEN 'pass'
      WHEN NOT e.exposure_value THEN 'fail'
    END AS group_name,
    e.rule_id, e.event_time, e.received_at, e.request_id, e.event_index
  FROM events AS e
  WHERE e.event_kind IN ('gate_exposure', 'config_exposure', 'layer_exposure')
    AND (since IS NULL OR e.received_date >= CAST(since AS DATE))
    AND (until IS NULL OR e.received_date <= CAST(until AS DATE))
),
assigned AS (
  SELECT
    *,
    CASE
      -- The rules that Statsig's SDKs name where a unit is in no group.
      WHEN experiment_kind = 'layer' OR group_name IS NULL OR coalesce(rule_id, '') IN (
        '', 'default', 'disabled', 'prestart', 'layerAssignment', 'targetingGate', 'inlineTargetingRules',
        'launchedGroup'
      ) THEN 'none'
      -- A group that somebody chose for the unit.
      WHEN rule_id = 'override' OR rule_id LIKE '%:override' OR rule_id LIKE '%:id_override' THEN 'override'
      ELSE 'group'
    END AS assignment
  FROM named
  WHERE unit_id <> '' AND experiment <> ''
),
placed AS (
  SELECT
    *,
    row_number() OVER (
      PARTITION BY project, experiment_kind, experiment, unit_id
      ORDER BY CASE WHEN assignment = 'none' THEN 1 ELSE 0 END, event_time, received_at, request_id, event_index
    ) AS place
  FROM assigned
)
SELECT
  project,
  CAST(unit_type AS VARCHAR) AS unit_type,
  unit_id,
  experiment_kind,
  experiment,
  max(CASE WHEN place = 1 THEN assignment END) AS assignment,
  max(CASE WHEN place = 1 THEN group_name END) AS group_name,
  max(CASE WHEN place = 1 THEN rule_id END) AS rule_id,
  max(CASE WHEN place = 1 THEN event_time END) AS first_exposed_at,
  count(DISTINCT CASE WHEN assignment = 'group' THEN group_name END) AS groups_seen,
  count(*) AS exposure_events,
  max(CASE WHEN place = 1 THEN request_id END) AS request_id,
  max(CASE WHEN place = 1 THEN event_index END) AS event_index
FROM placed
GROUP BY project, experiment_kind, experiment, unit_id;

CREATE OR REPLACE VIEW exposures AS SELECT * FROM exposures();

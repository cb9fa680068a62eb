-- What the units of each group of an experiment did from their first exposure on.
-- measure: count (events), sum (of their values) or any (1 for a unit that had the event). days: after the exposure.
-- rule: only units that this rule decided on. only_groups: a list. keep_crossovers: count a unit that saw several
-- groups in its first one. unit_type, since, until: as in exposures.
CREATE OR REPLACE MACRO metric_by_group(
  experiment, event_name, measure := 'count', days := NULL, rule := NULL, only_groups := NULL,
  keep_crossovers := false, unit_type := 'userID', since := NULL, until := NULL
) AS TABLE
WITH unit AS (
  SELECT
    x.project, x.experiment_kind, x.group_name, x.unit_id, x.first_exposed_at,
    x.groups_seen > 1 AS is_crossover,
    keep_crossovers OR x.groups_seen = 1 AS is_counted
  FROM exposures(unit_type := unit_type, since := since, until := until) AS x
  WHERE x.experiment = experiment
    AND x.assignment = 'group'
    AND (rule IS NULL OR x.rule_id = rule OR starts_with(x.rule_id, concat(rule, ':')))
    AND (only_groups IS NULL OR list_contains(only_groups, x.group_name))
),
happened AS (
  SELECT
    e.project, e.event_time, e.value_number,
    unit_id_of(unit_type, e.user_id, e.stable_id, e.user_custom_ids) AS unit_id
  FROM events_distinct(since := since, until := until) AS e
  WHERE e.event_name = event_name
),
of_unit AS (
  SELECT
    u.project, u.experiment_kind, u.group_name, u.unit_id, u.is_crossover, u.is_counted,
    count(h.event_time) AS events,
    coalesce(sum(h.value_number), 0) AS total
  FROM unit AS u
  LEFT JOIN happened AS h
    ON h.project = u.project
    AND h.unit_id = u.unit_id
    AND h.event_time >= u.first_exposed_at
    AND (days IS NULL OR h.event_time < u.first_exposed_at + CAST(days AS DOUBLE) * INTERVAL '24' HOUR)
  GROUP BY u.project, u.experiment_kind, u.group_name, u.unit_id, u.is_crossover, u.is_counted
),
measured AS (
  SELECT
    *,
    CASE measure
      WHEN 'count' THEN CAST(events AS DOUBLE)
      WHEN 'sum' THEN total
      WHEN 'any' THEN CASE WHEN events > 0 THEN 1 ELSE 0 END
      ELSE error(concat('measure: expected count, sum or any, got ', measure))
    END AS amount
  FROM of_unit
)
SELECT
  project,
  experiment_kind,
  group_name,
  count(*) FILTER (WHERE is_counted) AS units,
  count(*) FILTER (WHERE is_crossover) AS crossover_units,
  count(*) FILTER (WHERE is_counted AND events > 0) AS units_with_event,
  CAST(coalesce(sum(events) FILTER (WHERE is_counted), 0) AS BIGINT) AS events,
  coalesce(sum(amount) FILTER (WHERE is_counted), 0) AS total,
  avg(amount) FILTER (WHERE is_counted) AS mean,
  var_samp(amount) FILTER (WHERE is_counted) AS variance,
  sqrt(var_samp(amount) FILTER (WHERE is_counted) / count(*) FILTER (WHERE is_counted)) AS standard_error
FROM measured
GROUP BY project, experiment_kind, group_name
ORDER BY project, experiment_kind, group_name;

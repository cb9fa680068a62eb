-- The 0.975 quantile of Student's t, by Abramowitz and Stegun 26.7.5: 0.1 % off at 3 degrees of freedom, less above.
CREATE OR REPLACE MACRO student_t_975(df) AS
1.95996398454 + 2.37227123030 / df + 2.82249861574 / df ** 2 + 2.55584967951 / df ** 3 + 1.58953405339 / df ** 4;

-- How far each group's mean is from the control's, with Welch's 95 % interval.
-- The parameters behind control: as in metric_by_group.
CREATE OR REPLACE MACRO metric_difference(
  experiment, event_name, control, measure := 'count', days := NULL, rule := NULL, only_groups := NULL,
  keep_crossovers := false, unit_type := 'userID', since := NULL, until := NULL
) AS TABLE
WITH of_group AS (
  SELECT g.*, g.variance / g.units AS error_squared, count(*) FILTER (WHERE g.group_name = control) OVER () AS controls
  FROM metric_by_group(
    experiment, event_name, measure := measure, days := days, rule := rule, only_groups := only_groups,
    keep_crossovers := keep_crossovers, unit_type := unit_type, since := since, until := until
  ) AS g
),
compared AS (
  SELECT
    t.project, t.experiment_kind, t.group_name, t.units, t.mean,
    CASE WHEN t.controls = 0 THEN error(concat('control: no unit saw the group ', control)) ELSE c.group_name END
      AS control_name,
    c.units AS control_units,
    c.mean AS control_mean,
    t.mean - c.mean AS difference,
    sqrt(t.error_squared + c.error_squared) AS standard_error,
    (t.error_squared + c.error_squared) ** 2
      / nullif(t.error_squared ** 2 / (t.units - 1) + c.error_squared ** 2 / (c.units - 1), 0) AS degrees_of_freedom,
    -- A ratio to a mean that may well be zero says nothing.
    CASE WHEN c.mean > 2 * sqrt(c.error_squared) THEN t.mean / c.mean END AS ratio,
    sqrt(t.error_squared + c.error_squared * (t.mean / nullif(c.mean, 0)) ** 2) / nullif(c.mean, 0)
      AS ratio_standard_error
  FROM of_group AS t
  LEFT JOIN of_group AS c
    ON c.project = t.project AND c.experiment_kind = t.experiment_kind AND c.group_name = control
  WHERE t.group_name <> control
),
quantiled AS (
  SELECT *, CASE WHEN degrees_of_freedom >= 3 THEN student_t_975(degrees_of_freedom) END AS quantile
  FROM compared
)
SELECT
  project, experiment_kind, group_name, control_name, units, control_units, mean, control_mean,
  difference,
  difference - quantile * standard_error AS difference_low,
  difference + quantile * standard_error AS difference_high,
  ratio - 1 AS relative_difference,
  ratio - 1 - quantile * ratio_standard_error AS relative_low,
  ratio - 1 + quantile * ratio_standard_error AS relative_high,
  difference / nullif(standard_error, 0) AS t_statistic,
  degrees_of_freedom
FROM quantiled
ORDER BY project, experiment_kind, group_name;

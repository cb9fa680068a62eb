-- 1 - erf(x), to 13 digits from x = 0.001 on: the trapezoidal rule of Chiarella and Reichel, Math. Comp. 22 (1968).
CREATE OR REPLACE MACRO erfc(x) AS
x * exp(-x * x) / (2 * pi())
  * (1 / (x * x) + 2 * list_sum([exp(-n * n / 4) / (n * n / 4.0 + x * x) for n in range(1, 14)]))
  - 2 / (exp(4 * pi() * x) - 1);

-- The probability of a chi-square value of x or more with df degrees of freedom, df a whole number from 1:
-- the regularized upper incomplete gamma function of df/2 and x/2, by its recurrence from erfc (odd df) or 0 (even df).
CREATE OR REPLACE MACRO chi_square_p_value(x, df) AS
CASE
  WHEN x <= 0 THEN 1.0
  ELSE CASE WHEN df % 2 = 1 THEN erfc(sqrt(x / 2.0)) ELSE 0.0 END + coalesce(list_sum([
    exp((n + df % 2 / 2) * ln(x / 2.0) - x / 2.0 - lgamma(n + df % 2 / 2 + 1))
    for n in range(0, CAST(df AS BIGINT) // 2)
  ]), 0.0)
END;

-- Whether the groups of an experiment have the shares of units that they should have.
-- shares: MAP {'group': share, …} in any unit, of the groups to be tested; without it all groups, equal.
-- The other parameters: as in metric_by_group.
CREATE OR REPLACE MACRO sample_ratio(
  experiment, shares := NULL, rule := NULL, keep_crossovers := false, unit_type := 'userID',
  since := NULL, until := NULL
) AS TABLE
WITH unit AS (
  SELECT x.project, x.experiment_kind, x.group_name, x.groups_seen
  FROM exposures(unit_type := unit_type, since := since, until := until) AS x
  WHERE x.experiment = experiment
    AND x.assignment = 'group'
    AND (rule IS NULL OR x.rule_id = rule OR starts_with(x.rule_id, concat(rule, ':')))
),
counted AS (
  SELECT
    project, experiment_kind, group_name,
    count(*) FILTER (WHERE keep_crossovers OR groups_seen = 1) AS units,
    count(*) FILTER (WHERE groups_seen > 1) AS crossover_units
  FROM unit
  GROUP BY project, experiment_kind, group_name
  UNION ALL
  -- A group that nobody saw is the worst mismatch.
  SELECT s.project, s.experiment_kind, n.group_name, 0, 0
  FROM (SELECT DISTINCT project, experiment_kind FROM unit) AS s
  CROSS JOIN (SELECT unnest(map_keys(CAST(shares AS MAP(VARCHAR, DOUBLE)))) AS group_name) AS n
),
weighted AS (
  SELECT
    project, experiment_kind, group_name,
    CAST(sum(units) AS BIGINT) AS units,
    CAST(sum(crossover_units) AS BIGINT) AS crossover_units,
    CASE WHEN shares IS NULL THEN 1.0 ELSE CAST(shares AS MAP(VARCHAR, DOUBLE))[group_name] END AS weight
  FROM counted
  GROUP BY project, experiment_kind, group_name
),
expected AS (
  SELECT
    *,
    CASE
      WHEN weight <= 0 THEN error(concat('shares: ', group_name, ': not above 0'))
      ELSE weight / sum(weight) OVER (PARTITION BY project, experiment_kind)
    END AS expected_share,
    nullif(sum(CASE WHEN weight IS NOT NULL THEN units END) OVER (PARTITION BY project, experiment_kind), 0)
      AS all_units
  FROM weighted
),
tested AS (
  SELECT
    *,
    sum((units - expected_share * all_units) ** 2 / (expected_share * all_units))
      OVER (PARTITION BY project, experiment_kind) AS chi_square,
    count(weight) OVER (PARTITION BY project, experiment_kind) - 1 AS degrees_of_freedom,
    coalesce(min(expected_share * all_units) OVER (PARTITION BY project, experiment_kind), 0) AS fewest_expected
  FROM expected
)
SELECT
  project, experiment_kind, group_name, units, crossover_units,
  CASE WHEN weight IS NOT NULL THEN units / all_units END AS share,
  expected_share,
  expected_share * all_units AS expected_units,
  chi_square,
  degrees_of_freedom,
  chi_square_p_value(chi_square, degrees_of_freedom) AS p_value,
  CASE
    WHEN weight IS NULL THEN 'not tested'
    WHEN degrees_of_freedom < 1 THEN 'one group'
    WHEN fewest_expected < 5 THEN 'too few units'
    WHEN chi_square_p_value(chi_square, degrees_of_freedom) < 0.001 THEN 'mismatch'
    ELSE 'ok'
  END AS verdict
FROM tested
ORDER BY project, experiment_kind, group_name;

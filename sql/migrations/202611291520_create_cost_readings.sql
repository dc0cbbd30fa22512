-- What a project on Railway has cost: for each billing period the last reading, which says how the numbers came about. The
-- version before knows nothing of it.
CREATE TABLE ogel.cost_readings (
  project text NOT NULL,
  period_start timestamptz NOT NULL,
  period_end timestamptz NOT NULL,
  read_at timestamptz,
  tried_at timestamptz NOT NULL,
  trouble text,
  spent numeric,
  forecast numeric,
  reading jsonb,
  PRIMARY KEY (project, period_start)
);
COMMENT ON COLUMN ogel.cost_readings.project IS 'its id; `here` where the suite does not run on Railway';
COMMENT ON COLUMN ogel.cost_readings.tried_at IS 'when it was last asked for, whether it was told or not';
COMMENT ON COLUMN ogel.cost_readings.trouble IS 'why it was not told then; null: it was';
COMMENT ON COLUMN ogel.cost_readings.spent IS 'dollars, not rounded';
COMMENT ON COLUMN ogel.cost_readings.forecast IS 'dollars at the end of the period; null: too early to say';
CREATE INDEX cost_readings_old ON ogel.cost_readings (period_end);

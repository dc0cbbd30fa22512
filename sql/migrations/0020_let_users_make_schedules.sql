-- Schedules that users make, beside those that features declare. A row of the latter holds only where it stands (its
-- id is NULL); the version before reads and writes just that, and names no other row. Old and new schedulers take the
-- ticks of declared schedules from each other by last_tick_at, as before; a next_tick_at that an old one left behind
-- is mended by the next look of a new one.
--
-- At most about a thousand rows, which are looked through whole: an index on next_tick_at would cost each tick more
-- than it saves, since updates that touch no index stay on their page.
ALTER TABLE schedules
  ADD COLUMN id                text UNIQUE,
  ADD COLUMN cron              text,
  ADD COLUMN timezone          text NOT NULL DEFAULT 'UTC',
  ADD COLUMN description       text NOT NULL DEFAULT '',
  ADD COLUMN enabled           boolean NOT NULL DEFAULT true,
  ADD COLUMN event_type        text,
  ADD COLUMN event_data        json,
  ADD COLUMN event_subject     text,
  ADD COLUMN job_kind          text,
  ADD COLUMN job_queue         text,
  ADD COLUMN job_payload       jsonb,
  ADD COLUMN counted_from      timestamptz,
  ADD COLUMN next_tick_at      timestamptz,
  ADD COLUMN last_late_seconds float8,
  ADD COLUMN last_event_id     text,
  ADD COLUMN last_error        text,
  ADD CONSTRAINT schedules_of_users CHECK (
    id IS NULL OR (cron IS NOT NULL AND (event_type IS NULL) <> (job_kind IS NULL))
  );
ALTER TABLE schedules SET (fillfactor = 70);
COMMENT ON COLUMN schedules.id IS 'of a schedule that a user made; NULL: a feature declares it';
COMMENT ON COLUMN schedules.cron IS 'of a declared one: what next_tick_at was last counted by';
COMMENT ON COLUMN schedules.counted_from IS 'ticks up to here are not run: it was made, changed or resumed then';
COMMENT ON COLUMN schedules.job_queue IS 'where its job is shown as dead once no feature performs job_kind any more';

-- One row, counted up in the transaction of every change to what users made: schedulers ask whether it is still what
-- they know. Its lock makes such changes wait for each other.
CREATE TABLE schedule_changes (
  version bigint NOT NULL
);
INSERT INTO schedule_changes VALUES (0);

-- The operator's switch: while its row is here, the API is in maintenance. The version before knows nothing of it.
-- needs: 202611281830_move_tables_to_schema_ogel
CREATE TABLE maintenance (
  only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
  message text NOT NULL,
  retry_after_seconds integer NOT NULL,
  since timestamptz NOT NULL DEFAULT now(),
  switched_by text NOT NULL
);

-- What people set on a queue. The leader alone writes it (R4), and reads it when it takes over.
ALTER TABLE taskmaster.queues
  ADD COLUMN paused          boolean          NOT NULL DEFAULT false,
  ADD COLUMN concurrency     bigint,                               -- NULL: no limit
  ADD COLUMN rate_limit      bigint,                               -- NULL: no rate
  ADD COLUMN rate_period     interval,
  ADD COLUMN rate_burst      bigint,
  ADD COLUMN key_concurrency bigint           NOT NULL DEFAULT 1,
  ADD COLUMN key_rate_limit  bigint,
  ADD COLUMN key_rate_period interval,
  ADD COLUMN key_rate_burst  bigint,
  ADD COLUMN weight          double precision NOT NULL DEFAULT 1,
  ADD CONSTRAINT concurrency_1_to_1000000 CHECK (concurrency BETWEEN 1 AND 1000000),
  ADD CONSTRAINT key_concurrency_1_to_1000000 CHECK (key_concurrency BETWEEN 1 AND 1000000),
  ADD CONSTRAINT rate_is_whole CHECK (num_nulls(rate_limit, rate_period, rate_burst) IN (0, 3)),
  ADD CONSTRAINT key_rate_is_whole CHECK (num_nulls(key_rate_limit, key_rate_period, key_rate_burst) IN (0, 3)),
  ADD CONSTRAINT weight_0_001_to_1000 CHECK (weight BETWEEN 0.001 AND 1000);

CREATE TABLE taskmaster.paused_parts (
  queue text COLLATE "C" NOT NULL,
  part  text COLLATE "C" NOT NULL,
  name  text COLLATE "C" NOT NULL,
  CONSTRAINT paused_parts_part PRIMARY KEY (queue, part, name),
  CONSTRAINT part_is_known CHECK (part IN ('kind', 'key'))
);

-- Windows of one key: a key at its limit leaves the bucket's window, so that it hides nothing there, and has one of its own. The key
-- stands first, so that no statistics make tasks_window look as good.
CREATE INDEX tasks_key_window ON taskmaster.tasks (concurrency_key, queue, kind, priority, run_at, id) WHERE concurrency_key IS NOT NULL;

CREATE FUNCTION taskmaster.set_queue_v1(
  p_term bigint, p_name text, p_paused boolean, p_concurrency bigint, p_rate_limit bigint, p_rate_period interval, p_rate_burst bigint,
  p_key_concurrency bigint, p_key_rate_limit bigint, p_key_rate_period interval, p_key_rate_burst bigint, p_weight double precision,
  p_paused_kinds text[], p_paused_keys text[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM taskmaster.hold_term_v1(p_term);
  INSERT INTO taskmaster.queues AS q (name, paused, concurrency, rate_limit, rate_period, rate_burst, key_concurrency, key_rate_limit,
                                      key_rate_period, key_rate_burst, weight)
  VALUES (p_name, p_paused, p_concurrency, p_rate_limit, p_rate_period, p_rate_burst, p_key_concurrency, p_key_rate_limit,
          p_key_rate_period, p_key_rate_burst, p_weight)
  ON CONFLICT (name) DO UPDATE
     SET paused = excluded.paused, concurrency = excluded.concurrency, rate_limit = excluded.rate_limit,
         rate_period = excluded.rate_period, rate_burst = excluded.rate_burst, key_concurrency = excluded.key_concurrency,
         key_rate_limit = excluded.key_rate_limit, key_rate_period = excluded.key_rate_period,
         key_rate_burst = excluded.key_rate_burst, weight = excluded.weight;
  DELETE FROM taskmaster.paused_parts p WHERE p.queue = p_name;
  INSERT INTO taskmaster.paused_parts (queue, part, name)
  SELECT p_name, 'kind', k FROM unnest(p_paused_kinds) AS k
  UNION ALL
  SELECT p_name, 'key', k FROM unnest(p_paused_keys) AS k;
END $$;

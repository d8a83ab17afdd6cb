-- Tasks that wait for tasks. Whoever submits only inserts: rows that wait, their edges, and a note that an edge to this parent is new. All
-- else is the leader's, in the lane in which it records outcomes: it looks at each noted parent, marks the unfinished ones as followed (a
-- trigger notes their end) and works off the edges of the ended ones, in pages. So nobody locks another's parent, an open transaction with
-- taskmaster.submit(after => …) holds up no outcome, and no end is missed: an edge is noted in the transaction that made it, the note is
-- looked at after that commit, and of the mark and the end of one row the later waits for the earlier.

-- A task that waits is due never; its own run_at or delay is kept in its options until then. The columns are NULL for every other task.
ALTER TABLE taskmaster.tasks
  ADD COLUMN waits_for integer,  -- edges that are not settled
  ADD COLUMN followed  boolean,  -- somebody waits for it
  ADD CONSTRAINT what_waits_is_not_due CHECK (waits_for IS NULL OR run_at = 'infinity') NOT VALID;
CREATE INDEX tasks_waiting_expire ON taskmaster.tasks (expires_at) WHERE run_at = 'infinity' AND expires_at IS NOT NULL;
CREATE INDEX tasks_group ON taskmaster.tasks ((options ->> 'group')) WHERE options ->> 'group' IS NOT NULL;

CREATE TABLE taskmaster.edges (
  parent      uuid    NOT NULL,
  child       uuid    NOT NULL,
  on_finished boolean NOT NULL, -- any end of the parent will do; else only its success
  otherwise   text    NOT NULL, -- what becomes of the child when the parent ends otherwise
  CONSTRAINT edges_edge PRIMARY KEY (parent, child),
  CONSTRAINT otherwise_is_known CHECK (otherwise IN ('cancel', 'fail', 'run'))
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX edges_child ON taskmaster.edges (child, parent);

-- Parents to be looked at. No key on the parent: a second note costs a look, a unique index would have one submit wait for another.
CREATE TABLE taskmaster.follow_ups (
  number bigint GENERATED ALWAYS AS IDENTITY,
  parent uuid NOT NULL,
  CONSTRAINT follow_ups_number PRIMARY KEY (number)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000, autovacuum_vacuum_cost_delay = 0);

-- A trigger, so that every version of the function that finishes tasks takes part. Its condition is all that other tasks pay.
CREATE FUNCTION taskmaster.note_end_v1() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO taskmaster.follow_ups (parent) VALUES (OLD.id);
  RETURN NULL;
END $$;
CREATE TRIGGER tasks_followed AFTER DELETE ON taskmaster.tasks FOR EACH ROW WHEN (OLD.followed) EXECUTE FUNCTION taskmaster.note_end_v1();

-- The earliest day of history that can have this task: a version 7 id tells when it was made; a day of slack covers clocks that disagree.
CREATE FUNCTION taskmaster.finished_after(p_id uuid) RETURNS timestamptz LANGUAGE sql IMMUTABLE AS $$
  SELECT to_timestamp(('x' || translate(left(p_id::text, 13), '-', ''))::bit(48)::bigint / 1000.0) - interval '24 hours'
$$;

CREATE FUNCTION taskmaster.due_after_wait(p_options jsonb, p_now timestamptz) RETURNS timestamptz LANGUAGE sql STABLE AS $$
  SELECT greatest(coalesce((p_options ->> 'due')::timestamptz, p_now + coalesce((p_options ->> 'delay')::interval, '0')), p_now)
$$;

-- insert_keyed in the version in use: a migration that makes a new one replaces this, and graphs go by it.
CREATE FUNCTION taskmaster.insert_keyed_in_use(
  p_ids uuid[], p_queues text[], p_kinds text[], p_priorities integer[], p_run_ats timestamptz[], p_delays interval[],
  p_payloads bytea[], p_timeouts interval[], p_expires_ats timestamptz[], p_max_attempts integer[], p_retry_initials interval[],
  p_retry_factors double precision[], p_retry_maxs interval[], p_retry_jitters double precision[], p_at_most_onces boolean[],
  p_unique_keys text[], p_concurrency_keys text[], p_labels jsonb[], p_idempotency_keys text[], p_fingerprints bytea[], p_options jsonb[])
RETURNS TABLE (place integer, verdict text, id uuid, run_at timestamptz, created_at timestamptz) LANGUAGE sql AS $$
  SELECT * FROM taskmaster.insert_keyed_v2(
    p_ids, p_queues, p_kinds, p_priorities, p_run_ats, p_delays, p_payloads, p_timeouts, p_expires_ats, p_max_attempts, p_retry_initials,
    p_retry_factors, p_retry_maxs, p_retry_jitters, p_at_most_onces, p_unique_keys, p_concurrency_keys, p_labels, p_idempotency_keys,
    p_fingerprints, p_options)
$$;

-- A graph, whole or not at all. The first arrays are those of insert_keyed; an edge names its child by place and its parent by place
-- (a row of this call) or id; the last arrays are edges to groups. waits_for and followed come counted; what the counting could not know
-- (keys that are taken, members of groups) is mended at the end. Verdicts: stored and repeated, of every row; or one row alone:
-- no_parent (of the row at `place`, the id that does not exist), too_many (edges; `place` is of the row with the group).
CREATE FUNCTION taskmaster.insert_graph_v1(
  p_ids uuid[], p_queues text[], p_kinds text[], p_priorities integer[], p_run_ats timestamptz[], p_delays interval[],
  p_payloads bytea[], p_timeouts interval[], p_expires_ats timestamptz[], p_max_attempts integer[], p_retry_initials interval[],
  p_retry_factors double precision[], p_retry_maxs interval[], p_retry_jitters double precision[], p_at_most_onces boolean[],
  p_unique_keys text[], p_concurrency_keys text[], p_labels jsonb[], p_idempotency_keys text[], p_fingerprints bytea[], p_options jsonb[],
  p_waits_for integer[], p_followed boolean[],
  p_edge_places integer[], p_edge_parent_places integer[], p_edge_parents uuid[], p_edge_on_finished boolean[], p_edge_otherwises text[],
  p_group_places integer[], p_groups text[], p_group_on_finished boolean[], p_group_otherwises text[], p_most bigint)
RETURNS TABLE (place integer, verdict text, id uuid, run_at timestamptz, created_at timestamptz)
LANGUAGE plpgsql SET lock_timeout = '100ms' SET enable_hashjoin = on AS $$
#variable_conflict use_column
DECLARE
  v_now   timestamptz := clock_timestamp();
  v_ids   uuid[] := p_ids; -- of a row whose key is taken, the first task's
  v_fresh boolean[] := array_fill(true, ARRAY[cardinality(p_ids)]);
  v_keyed boolean := num_nonnulls(VARIADIC p_unique_keys || p_idempotency_keys) > 0;
  v_plain boolean := NOT v_keyed AND cardinality(p_groups) = 0;
  v_count bigint;
  r       record;
BEGIN
  SELECT e.place, e.parent INTO place, id
    FROM (SELECT min(u.place) AS place, u.parent FROM unnest(p_edge_places, p_edge_parents) AS u (place, parent)
           WHERE u.parent IS NOT NULL GROUP BY u.parent) AS e
   WHERE NOT EXISTS (SELECT FROM taskmaster.tasks t WHERE t.id = e.parent)
     AND NOT EXISTS (SELECT FROM taskmaster.task_history h WHERE h.id = e.parent AND h.finished_at >= taskmaster.finished_after(e.parent))
   ORDER BY e.place LIMIT 1;
  IF FOUND THEN
    verdict := 'no_parent';
    RETURN NEXT;
    RETURN;
  END IF;

  v_count := cardinality(p_edge_places);
  FOR r IN SELECT u.place, u.name FROM unnest(p_group_places, p_groups) AS u (place, name) LOOP
    v_count := v_count + (SELECT count(*) FROM (SELECT FROM taskmaster.tasks t WHERE t.options ->> 'group' = r.name LIMIT p_most + 1) AS m);
    IF v_count > p_most THEN
      place := r.place;
      verdict := 'too_many';
      RETURN NEXT;
      RETURN;
    END IF;
  END LOOP;

  IF v_keyed THEN
    FOR r IN SELECT * FROM taskmaster.insert_keyed_in_use(
      p_ids, p_queues, p_kinds, p_priorities, p_run_ats, p_delays, p_payloads, p_timeouts, p_expires_ats, p_max_attempts, p_retry_initials,
      p_retry_factors, p_retry_maxs, p_retry_jitters, p_at_most_onces, p_unique_keys, p_concurrency_keys, p_labels, p_idempotency_keys,
      p_fingerprints, p_options)
    LOOP
      IF r.verdict = 'other_body' THEN
        RAISE EXCEPTION 'the idempotency key "%" was used with another body', p_idempotency_keys[r.place] USING ERRCODE = 'TM004';
      ELSIF r.verdict = 'refused' THEN
        RAISE EXCEPTION 'task % holds the unique key "%"', r.id, p_unique_keys[r.place] USING ERRCODE = 'TM004';
      END IF;
      v_ids[r.place] := r.id;
      v_fresh[r.place] := r.verdict = 'stored';
    END LOOP;
  ELSE
    INSERT INTO taskmaster.tasks (id, queue, kind, priority, run_at, created_at, payload, timeout, expires_at, max_attempts, retry_initial,
                                  retry_factor, retry_max, retry_jitter, at_most_once, concurrency_key, labels, options, waits_for, followed)
    SELECT u.id, u.queue, u.kind, u.priority, coalesce(u.run_at, v_now + u.delay), v_now, u.payload, u.timeout, u.expires_at, u.max_attempts,
           u.retry_initial, u.retry_factor, u.retry_max, u.retry_jitter, u.at_most_once, u.concurrency_key, u.labels, u.options, u.waits_for,
           u.followed
      FROM unnest(p_ids, p_queues, p_kinds, p_priorities, p_run_ats, p_delays, p_payloads, p_timeouts, p_expires_ats, p_max_attempts,
                  p_retry_initials, p_retry_factors, p_retry_maxs, p_retry_jitters, p_at_most_onces, p_concurrency_keys, p_labels, p_options,
                  p_waits_for, p_followed)
           AS u (id, queue, kind, priority, run_at, delay, payload, timeout, expires_at, max_attempts, retry_initial, retry_factor, retry_max,
                 retry_jitter, at_most_once, concurrency_key, labels, options, waits_for, followed);
  END IF;

  INSERT INTO taskmaster.edges (parent, child, on_finished, otherwise)
  SELECT coalesce(v_ids[e.parent_place], e.parent), v_ids[e.place], e.on_finished, e.otherwise
    FROM unnest(p_edge_places, p_edge_parent_places, p_edge_parents, p_edge_on_finished, p_edge_otherwises)
         AS e (place, parent_place, parent, on_finished, otherwise)
   WHERE v_fresh[e.place]
  UNION ALL
  SELECT t.id, v_ids[g.place], g.on_finished, g.otherwise
    FROM unnest(p_group_places, p_groups, p_group_on_finished, p_group_otherwises) AS g (place, name, on_finished, otherwise)
    JOIN taskmaster.tasks t ON t.options ->> 'group' = g.name AND t.id <> v_ids[g.place]
   WHERE v_fresh[g.place]
  ON CONFLICT DO NOTHING;

  IF v_plain THEN
    INSERT INTO taskmaster.follow_ups (parent)
    SELECT DISTINCT e.parent FROM unnest(p_edge_parents) AS e (parent) WHERE e.parent IS NOT NULL;
  ELSE
    WITH fresh AS MATERIALIZED (
      SELECT u.id FROM unnest(v_ids, v_fresh) AS u (id, fresh) WHERE u.fresh
    ), counted AS MATERIALIZED (
      SELECT f.id, count(e.parent) AS n FROM fresh f LEFT JOIN taskmaster.edges e ON e.child = f.id GROUP BY f.id
    ), noted AS (
      INSERT INTO taskmaster.follow_ups (parent) SELECT DISTINCT e.parent FROM fresh f JOIN taskmaster.edges e ON e.child = f.id
    )
    UPDATE taskmaster.tasks t
       SET waits_for = nullif(c.n, 0)::integer,
           run_at = CASE WHEN c.n > 0 THEN t.run_at ELSE taskmaster.due_after_wait(t.options, v_now) END
      FROM counted c
     WHERE t.id = c.id AND t.run_at = 'infinity';
  END IF;

  RETURN QUERY
  SELECT u.place::integer, CASE WHEN u.fresh THEN 'stored' ELSE 'repeated' END, u.id, t.run_at, t.created_at
    FROM unnest(v_ids, v_fresh) WITH ORDINALITY AS u (id, fresh, place)
    LEFT JOIN taskmaster.tasks t ON t.id = u.id AND u.fresh;
END $$;

-- R4. One page of work on the list, with the outcome that each parent has now: a parent that was put back to work by hand before its
-- children were told is waited for again. A child whose last edge is settled becomes due; one whose fate is decided gets a time long past, so
-- that whoever leads meets it, and the decision in its reason: the leader finishes it as it finishes any task. Rows of `released` come up to
-- p_bytes of payload, the scan brings the others; the last row has the flags instead. Without work it locks and writes nothing.
CREATE FUNCTION taskmaster.follow_up_v1(p_term bigint, p_most integer, p_bytes bigint)
RETURNS TABLE (more boolean, edges boolean, released taskmaster.tasks)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  v_numbers bigint[];
  v_parents uuid[];
  v_ended   uuid[];
  v_states  text[];
  v_bytes   bigint := 0;
  v_row     taskmaster.tasks;
BEGIN
  IF EXISTS (SELECT FROM taskmaster.follow_ups)
     OR EXISTS (SELECT FROM taskmaster.tasks t WHERE t.run_at = 'infinity' AND t.expires_at <= clock_timestamp()) THEN
    PERFORM taskmaster.hold_term_v1(p_term);
    SELECT array_agg(f.number), array_agg(DISTINCT f.parent) INTO v_numbers, v_parents
      FROM (SELECT number, parent FROM taskmaster.follow_ups ORDER BY number LIMIT p_most) AS f;
    UPDATE taskmaster.tasks t SET followed = true WHERE t.id = ANY (v_parents) AND t.followed IS NULL;
    -- A later statement: it sees an end that the update had to wait for.
    SELECT array_agg(p.id), array_agg(h.state) INTO v_ended, v_states
      FROM unnest(v_parents) AS p (id)
      LEFT JOIN LATERAL (SELECT state FROM taskmaster.task_history h
                          WHERE h.id = p.id AND h.finished_at >= taskmaster.finished_after(p.id)
                          ORDER BY h.finished_at DESC LIMIT 1) AS h ON true
     WHERE NOT EXISTS (SELECT FROM taskmaster.tasks t WHERE t.id = p.id);
    FOR v_row IN
      WITH page AS MATERIALIZED (
        SELECT e.parent, e.child, u.state
          FROM unnest(v_ended, v_states) AS u (id, state) JOIN taskmaster.edges e ON e.parent = u.id
         LIMIT p_most
      ), settled AS (
        DELETE FROM taskmaster.edges e USING page p WHERE e.parent = p.parent AND e.child = p.child
        RETURNING e.child, e.parent, e.otherwise, p.state, (e.on_finished OR p.state IS NOT DISTINCT FROM 'succeeded' OR e.otherwise = 'run') AS good
      ), sums AS MATERIALIZED (
        SELECT child, count(*) AS n, bool_and(good) AS good, max(otherwise) FILTER (WHERE NOT good) AS otherwise,
               (array_agg(parent ORDER BY parent) FILTER (WHERE NOT good))[1] AS culprit,
               (array_agg(state ORDER BY parent) FILTER (WHERE NOT good))[1] AS culprit_state
          FROM settled GROUP BY child
      )
      UPDATE taskmaster.tasks t
         SET waits_for = CASE WHEN s.good AND t.waits_for > s.n THEN t.waits_for - s.n END,
             run_at = CASE WHEN NOT s.good THEN t.created_at
                           WHEN t.waits_for > s.n THEN t.run_at
                           ELSE taskmaster.due_after_wait(t.options, clock_timestamp()) END,
             reason = CASE WHEN s.good THEN t.reason
                           ELSE 'dependency:' || CASE s.otherwise WHEN 'fail' THEN 'failed' ELSE 'cancelled' END || ':' || s.culprit || ':'
                                || coalesce(s.culprit_state, '') END,
             xid = CASE WHEN s.good AND t.waits_for > s.n THEN t.xid ELSE pg_current_xact_id() END
        FROM sums s
       WHERE t.id = s.child AND t.waits_for > 0
      RETURNING t.*
    LOOP
      CONTINUE WHEN v_row.waits_for > 0;
      v_bytes := v_bytes + octet_length(v_row.payload);
      IF v_bytes <= p_bytes THEN
        released := v_row;
        RETURN NEXT;
      END IF;
    END LOOP;
    -- What was looked at is done, but for the ended ones with more edges than the page had room for.
    DELETE FROM taskmaster.follow_ups f
     WHERE f.number = ANY (v_numbers)
       AND NOT (f.parent = ANY (coalesce(v_ended, '{}')) AND EXISTS (SELECT FROM taskmaster.edges e WHERE e.parent = f.parent));
    FOR v_row IN
      UPDATE taskmaster.tasks t
         SET waits_for = NULL, run_at = t.created_at, reason = 'dependency:expired:00000000-0000-0000-0000-000000000000:', xid = pg_current_xact_id()
       WHERE t.id IN (SELECT l.id FROM taskmaster.tasks l WHERE l.run_at = 'infinity' AND l.expires_at <= clock_timestamp()
                       ORDER BY l.expires_at LIMIT p_most)
         AND t.run_at = 'infinity'
      RETURNING t.*
    LOOP
      v_bytes := v_bytes + octet_length(v_row.payload);
      IF v_bytes <= p_bytes THEN
        released := v_row;
        RETURN NEXT;
      END IF;
    END LOOP;
  END IF;
  released := NULL;
  more := EXISTS (SELECT FROM taskmaster.follow_ups);
  edges := EXISTS (SELECT FROM taskmaster.edges);
  RETURN NEXT;
END $$;

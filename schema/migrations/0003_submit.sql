-- Submitting: keyed tasks of the schedulers (insert_keyed_v1) and of applications inside their own transactions (submit).

-- Rows with keys, one after the other in the order of their keys, so that two batches cannot wait for each other crosswise. Somebody's
-- open transaction on a key is waited for 100 ms; then the caller splits the batch. ON CONFLICT DO NOTHING, since DO UPDATE
-- fails on a key that is twice in one statement; the first owner is read by a second statement. A call has each key once.
CREATE FUNCTION taskmaster.insert_keyed_v1(
  p_ids uuid[], p_queues text[], p_kinds text[], p_priorities integer[], p_run_ats timestamptz[], p_delays interval[],
  p_payloads bytea[], p_timeouts interval[], p_expires_ats timestamptz[], p_max_attempts integer[], p_retry_initials interval[],
  p_retry_factors double precision[], p_retry_maxs interval[], p_retry_jitters double precision[], p_at_most_onces boolean[],
  p_unique_keys text[], p_concurrency_keys text[], p_labels jsonb[], p_idempotency_keys text[], p_fingerprints bytea[])
RETURNS TABLE (place integer, verdict text, id uuid, run_at timestamptz, created_at timestamptz)
LANGUAGE plpgsql SET lock_timeout = '100ms' AS $$
#variable_conflict use_column
DECLARE
  r record;
  v_owner taskmaster.keys;
  v_now timestamptz;
BEGIN
  FOR r IN
    SELECT * FROM unnest(p_ids, p_queues, p_kinds, p_priorities, p_run_ats, p_delays, p_payloads, p_timeouts, p_expires_ats,
                         p_max_attempts, p_retry_initials, p_retry_factors, p_retry_maxs, p_retry_jitters, p_at_most_onces,
                         p_unique_keys, p_concurrency_keys, p_labels, p_idempotency_keys, p_fingerprints)
             WITH ORDINALITY AS u (id, queue, kind, priority, run_at, delay, payload, timeout, expires_at, max_attempts, retry_initial,
                                   retry_factor, retry_max, retry_jitter, at_most_once, unique_key, concurrency_key, labels,
                                   idempotency_key, fingerprint, place)
     ORDER BY u.idempotency_key COLLATE "C", u.unique_key COLLATE "C"
  LOOP
    v_now := clock_timestamp();
    place := r.place;
    id := r.id;
    verdict := 'stored';
    IF r.idempotency_key IS NOT NULL THEN
      DELETE FROM taskmaster.keys k WHERE k.scope = 'idempotency' AND k.key = r.idempotency_key AND k.expires_at <= v_now;
      INSERT INTO taskmaster.keys (scope, key, task_id, fingerprint, expires_at)
      VALUES ('idempotency', r.idempotency_key, r.id, r.fingerprint, v_now + interval '24 hours') ON CONFLICT DO NOTHING;
      IF NOT FOUND THEN
        SELECT * INTO v_owner FROM taskmaster.keys k WHERE k.scope = 'idempotency' AND k.key = r.idempotency_key;
        IF NOT FOUND THEN -- it was removed in between: the caller asks again
          RAISE EXCEPTION 'a key changed hands' USING ERRCODE = 'lock_not_available';
        END IF;
        verdict := CASE WHEN v_owner.fingerprint IS DISTINCT FROM r.fingerprint THEN 'other_body' ELSE 'repeated' END;
        id := v_owner.task_id;
      END IF;
    END IF;
    IF verdict = 'stored' AND r.unique_key IS NOT NULL THEN
      INSERT INTO taskmaster.keys (scope, key, task_id) VALUES ('unique', r.unique_key, r.id) ON CONFLICT DO NOTHING;
      IF NOT FOUND THEN
        SELECT * INTO v_owner FROM taskmaster.keys k WHERE k.scope = 'unique' AND k.key = r.unique_key;
        IF NOT FOUND THEN
          RAISE EXCEPTION 'a key changed hands' USING ERRCODE = 'lock_not_available';
        END IF;
        verdict := 'repeated';
        id := v_owner.task_id;
        DELETE FROM taskmaster.keys k WHERE k.scope = 'idempotency' AND k.key = r.idempotency_key AND k.task_id = r.id;
      END IF;
    END IF;
    IF verdict = 'stored' THEN
      created_at := v_now;
      run_at := coalesce(r.run_at, v_now + r.delay);
      INSERT INTO taskmaster.tasks (id, queue, kind, priority, run_at, created_at, payload, timeout, expires_at, max_attempts,
                                    retry_initial, retry_factor, retry_max, retry_jitter, at_most_once, unique_key, concurrency_key,
                                    labels)
      VALUES (r.id, r.queue, r.kind, r.priority, insert_keyed_v1.run_at, v_now, r.payload, r.timeout, r.expires_at, r.max_attempts,
              r.retry_initial, r.retry_factor, r.retry_max, r.retry_jitter, r.at_most_once, r.unique_key, r.concurrency_key, r.labels);
    END IF;
    RETURN NEXT;
  END LOOP;
END $$;

-- A version 7 id of the clock's millisecond: random bytes with the time laid over the first six, and the version's two bits.
CREATE FUNCTION taskmaster.make_id() RETURNS uuid LANGUAGE sql VOLATILE AS $$
  SELECT encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid())
                                        PLACING substring(int8send((extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3)
                                        FROM 1 FOR 6), 52, 1), 53, 1), 'hex')::uuid
$$;

-- A length out of JSON: "1h30m" or a number of seconds.
CREATE FUNCTION taskmaster.read_duration(p_field text, p_value jsonb, p_default interval) RETURNS interval LANGUAGE plpgsql AS $$
DECLARE
  v_text text := p_value #>> '{}';
BEGIN
  IF p_value IS NULL OR jsonb_typeof(p_value) = 'null' THEN
    RETURN p_default;
  ELSIF jsonb_typeof(p_value) = 'number' AND v_text::numeric BETWEEN 0 AND 3155760000 THEN
    RETURN make_interval(secs => v_text::double precision);
  ELSIF jsonb_typeof(p_value) = 'string' AND v_text ~ '^([0-9]{1,12}(\.[0-9]{1,12})?(us|ms|s|m|h|d))+$' THEN
    RETURN v_text::interval;
  END IF;
  RAISE EXCEPTION '% is %, which is no duration; write it like "250ms", "1h30m", or as a number of seconds', p_field, p_value
    USING ERRCODE = 'invalid_parameter_value';
END $$;

-- For applications, inside their own transaction: the task exists if they commit, and starts within a second of its time; at once with
-- notify => true. The same limits as over HTTP. It runs with its owner's rights, so an application's role needs only
--   GRANT USAGE ON SCHEMA taskmaster TO app;
-- A unique_key or idempotency_key that is taken answers the first task's id.
CREATE FUNCTION taskmaster.submit(
  kind text, payload jsonb DEFAULT NULL, queue text DEFAULT 'default', run_at timestamptz DEFAULT NULL, delay interval DEFAULT NULL,
  priority integer DEFAULT 0, timeout interval DEFAULT NULL, expires_at timestamptz DEFAULT NULL, max_attempts integer DEFAULT NULL,
  retry jsonb DEFAULT NULL, delivery text DEFAULT 'at_least_once', unique_key text DEFAULT NULL, idempotency_key text DEFAULT NULL,
  concurrency_key text DEFAULT NULL, labels jsonb DEFAULT NULL, notify boolean DEFAULT false)
RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
  v_now       timestamptz := clock_timestamp();
  v_id        uuid := taskmaster.make_id();
  v_payload   text := coalesce(payload::text, 'null');
  v_due       timestamptz := coalesce(run_at, v_now + coalesce(delay, '0'));
  v_attempts  integer := coalesce(max_attempts, CASE WHEN delivery = 'at_most_once' THEN 1 ELSE 5 END);
  v_initial   interval;
  v_max       interval;
  v_factor    double precision;
  v_jitter    double precision;
  v_print     bytea;
  v_owner     taskmaster.keys;
  v_fault     text;
  v_key       text;
BEGIN
  v_fault := CASE
    WHEN kind IS NULL OR kind !~ '^[a-z0-9_.-]{1,64}$' THEN
      format('kind is %s; it has to be 1 to 64 characters out of a-z, 0-9, "_", "." and "-"', coalesce(quote_literal(left(kind, 80)), 'missing'))
    WHEN queue IS NULL OR queue !~ '^[a-z0-9_.-]{1,64}$' THEN
      format('queue is %s; it has to be 1 to 64 characters out of a-z, 0-9, "_", "." and "-"', coalesce(quote_literal(left(queue, 80)), 'missing'))
    WHEN octet_length(v_payload) > 1048576 THEN
      format('payload is %s bytes long; the limit is 1048576 (1 MiB)', octet_length(v_payload))
    WHEN run_at IS NOT NULL AND delay IS NOT NULL THEN 'delay cannot stand beside run_at; give one of the two'
    WHEN delay < '0' THEN 'delay is negative'
    WHEN NOT isfinite(v_due) OR v_due < '0001-01-01 00:00:00+00' THEN format('run_at is %s, which is no time to wait for', v_due)
    WHEN v_due > v_now + interval '3653 days' THEN format('run_at is %s; the limit is 10 years from now', v_due)
    WHEN priority IS NULL OR priority NOT BETWEEN 0 AND 9 THEN format('priority is %s; it has to be 0 to 9', priority)
    WHEN timeout NOT BETWEEN '0' AND '30 days' THEN format('timeout is %s; it has to be 0 (none) to 30 days', timeout)
    WHEN expires_at <= v_due THEN format('expires_at is %s, not after the task is due, %s', expires_at, v_due)
    WHEN expires_at > '9999-12-31 23:59:59+00' THEN 'expires_at lies after the year 9999'
    WHEN delivery IS NULL OR delivery NOT IN ('at_least_once', 'at_most_once') THEN
      format('delivery is %s; it has to be at_least_once or at_most_once', quote_nullable(delivery))
    WHEN v_attempts NOT BETWEEN 1 AND 1000 THEN format('max_attempts is %s; it has to be 1 to 1000', v_attempts)
    WHEN delivery = 'at_most_once' AND v_attempts NOT IN (1, 5) THEN
      format('max_attempts is %s, but delivery at_most_once means one attempt; leave it out', v_attempts)
    WHEN octet_length(unique_key) > 256 THEN format('unique_key is %s bytes long; the limit is 256', octet_length(unique_key))
    WHEN octet_length(idempotency_key) > 256 THEN format('idempotency_key is %s bytes long; the limit is 256', octet_length(idempotency_key))
    WHEN octet_length(concurrency_key) > 256 THEN format('concurrency_key is %s bytes long; the limit is 256', octet_length(concurrency_key))
    WHEN jsonb_typeof(labels) NOT IN ('object', 'null') THEN 'labels has to be an object of texts'
    WHEN jsonb_typeof(retry) NOT IN ('object', 'null') THEN 'retry has to be an object of initial, factor, max and jitter'
  END;
  IF v_fault IS NOT NULL THEN
    RAISE EXCEPTION '%', v_fault USING ERRCODE = 'invalid_parameter_value';
  END IF;

  IF jsonb_typeof(labels) = 'object' THEN
    SELECT CASE
        WHEN count(*) > 32 THEN format('labels has %s entries; the limit is 32', count(*))
        WHEN bool_or(jsonb_typeof(l.value) <> 'string') THEN 'labels has to be an object of texts'
        WHEN bool_or(octet_length(l.key) NOT BETWEEN 1 AND 64) THEN 'a key of labels has to be 1 to 64 bytes long'
        WHEN bool_or(octet_length(l.value #>> '{}') > 256) THEN 'a value of labels is longer than the limit of 256 bytes'
      END INTO v_fault FROM jsonb_each(labels) AS l;
  END IF;
  IF jsonb_typeof(retry) = 'object' THEN
    FOR v_key IN SELECT * FROM jsonb_object_keys(retry) LOOP
      IF v_key NOT IN ('initial', 'factor', 'max', 'jitter') THEN
        v_fault := format('retry knows no %s; it has initial, factor, max and jitter', quote_literal(v_key));
      END IF;
    END LOOP;
    IF coalesce(jsonb_typeof(retry -> 'factor'), 'number') NOT IN ('number', 'null')
       OR coalesce(jsonb_typeof(retry -> 'jitter'), 'number') NOT IN ('number', 'null') THEN
      v_fault := 'retry.factor and retry.jitter have to be numbers';
    ELSE
      v_factor := (retry ->> 'factor')::double precision;
      v_jitter := (retry ->> 'jitter')::double precision;
    END IF;
  END IF;
  v_factor := coalesce(v_factor, 2);
  v_jitter := coalesce(v_jitter, 0.1);
  v_initial := taskmaster.read_duration('retry.initial', retry -> 'initial', '1 second');
  v_max := taskmaster.read_duration('retry.max', retry -> 'max', '10 minutes');
  IF v_factor < 1 THEN
    v_fault := format('retry.factor is %s; it has to be 1 or more', v_factor);
  ELSIF v_jitter NOT BETWEEN 0 AND 1 THEN
    v_fault := format('retry.jitter is %s; it is a part of the wait and has to be 0 to 1', v_jitter);
  END IF;
  IF v_fault IS NOT NULL THEN
    RAISE EXCEPTION '%', v_fault USING ERRCODE = 'invalid_parameter_value';
  END IF;

  IF delivery = 'at_most_once' THEN
    v_attempts := 1;
  END IF;
  unique_key := nullif(unique_key, '');
  idempotency_key := nullif(idempotency_key, '');
  concurrency_key := nullif(concurrency_key, '');
  IF idempotency_key IS NOT NULL THEN
    v_print := sha256(convert_to(jsonb_build_array(kind, v_payload, queue, run_at, delay, priority, timeout, expires_at, v_attempts, retry,
                                                   delivery, unique_key, concurrency_key, labels)::text, 'UTF8'));
    DELETE FROM taskmaster.keys k WHERE k.scope = 'idempotency' AND k.key = idempotency_key AND k.expires_at <= v_now;
    LOOP
      INSERT INTO taskmaster.keys AS k (scope, key, task_id, fingerprint, expires_at)
      VALUES ('idempotency', idempotency_key, v_id, v_print, v_now + interval '24 hours') ON CONFLICT DO NOTHING;
      EXIT WHEN FOUND;
      SELECT * INTO v_owner FROM taskmaster.keys k WHERE k.scope = 'idempotency' AND k.key = idempotency_key;
      CONTINUE WHEN NOT FOUND; -- it was removed in between
      IF v_owner.fingerprint IS DISTINCT FROM v_print THEN
        RAISE EXCEPTION 'idempotency_key was used with another task; take a new key or submit the first task again'
          USING ERRCODE = 'invalid_parameter_value';
      END IF;
      RETURN v_owner.task_id;
    END LOOP;
  END IF;
  IF unique_key IS NOT NULL THEN
    LOOP
      INSERT INTO taskmaster.keys AS k (scope, key, task_id) VALUES ('unique', unique_key, v_id) ON CONFLICT DO NOTHING;
      EXIT WHEN FOUND;
      SELECT * INTO v_owner FROM taskmaster.keys k WHERE k.scope = 'unique' AND k.key = unique_key;
      CONTINUE WHEN NOT FOUND;
      DELETE FROM taskmaster.keys k WHERE k.scope = 'idempotency' AND k.key = idempotency_key AND k.task_id = v_id;
      RETURN v_owner.task_id;
    END LOOP;
  END IF;

  INSERT INTO taskmaster.tasks (id, queue, kind, priority, run_at, created_at, payload, timeout, expires_at, max_attempts,
                                retry_initial, retry_factor, retry_max, retry_jitter, at_most_once, unique_key, concurrency_key, labels)
  VALUES (v_id, queue, kind, priority, v_due, v_now, convert_to(v_payload, 'UTF8'), coalesce(timeout, '0'), expires_at, v_attempts,
          v_initial, v_factor, v_max, v_jitter, delivery = 'at_most_once', unique_key, concurrency_key,
          CASE WHEN jsonb_typeof(labels) = 'object' AND labels <> '{}' THEN labels END);
  IF notify THEN
    PERFORM pg_notify('taskmaster_submitted', v_id::text);
  END IF;
  RETURN v_id;
END $$;

-- Webhooks. A task that names one (options.webhook) has its URL told of its outcome by a task of kind webhook, which comes to be in the
-- transaction that records the outcome: it exists if and only if the outcome does. A trigger of the history, so that every way to finish, also
-- an older leader's functions, makes it, and tasks without one pay a look at a column that is NULL (schema/webhook.cpp makes the same for
-- memory). The body is text in the payload: what is signed is sent byte for byte, and json keeps the digits of the result.

-- What a worker gave as a result, as JSON; what is none, as text, since an outcome must not fail for what is told of it.
CREATE FUNCTION taskmaster.webhook_result_v1(p_result bytea) RETURNS json LANGUAGE plpgsql AS $$
BEGIN
  RETURN nullif(convert_from(p_result, 'UTF8'), '')::json;
EXCEPTION WHEN invalid_text_representation OR statement_too_complex THEN
  RETURN to_json(left(convert_from(p_result, 'UTF8'), 65536));
END $$;

-- A result is 256 KiB at most and the message is cut, so that the payload stays below its limit of 1 MiB however much has to be escaped.
CREATE FUNCTION taskmaster.queue_webhook_v1() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  v_now  timestamptz := clock_timestamp();
  v_form text := 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"';
  v_body text;
BEGIN
  v_body := json_build_object(
    'type', 'task.' || NEW.state, 'timestamp', to_char(NEW.finished_at AT TIME ZONE 'UTC', v_form),
    'data', json_build_object(
      'id', NEW.id, 'kind', NEW.kind, 'queue', NEW.queue, 'state', NEW.state, 'reason', nullif(NEW.reason, ''), 'attempt', NEW.attempt,
      'labels', coalesce(NEW.labels, '{}'), 'created_at', to_char(NEW.created_at AT TIME ZONE 'UTC', v_form),
      'started_at', to_char(NEW.started_at AT TIME ZONE 'UTC', v_form), 'finished_at', to_char(NEW.finished_at AT TIME ZONE 'UTC', v_form),
      'result', taskmaster.webhook_result_v1(NEW.result),
      'error', CASE WHEN NEW.error_code IS NOT NULL THEN
        json_build_object('code', left(NEW.error_code, 64), 'message', left(coalesce(NEW.error_message, ''), 16384)) END));
  INSERT INTO taskmaster.queues (name) VALUES ('webhooks') ON CONFLICT DO NOTHING;
  INSERT INTO taskmaster.tasks (id, queue, kind, run_at, created_at, payload, timeout, max_attempts, retry_initial, retry_factor, retry_max,
                                retry_jitter, labels, options)
  VALUES (taskmaster.make_id(), 'webhooks', 'webhook', v_now, v_now,
          convert_to(json_build_object('url', NEW.options ->> 'webhook', 'body', v_body)::text, 'UTF8'), '30 seconds', 20, '5 seconds', 2.5,
          '1 hour', 0.2, jsonb_build_object('task', NEW.id), jsonb_build_object('webhook_of', NEW.id));
  RETURN NULL;
END $$;

CREATE TRIGGER queue_webhook AFTER INSERT ON taskmaster.task_history
  FOR EACH ROW WHEN (NEW.options ? 'webhook' AND NEW.kind <> 'webhook') EXECUTE FUNCTION taskmaster.queue_webhook_v1();

-- Whoever submits must not have words of his own signed: a task of this kind names the task whose outcome it tells, which no submit can.
ALTER TABLE taskmaster.tasks ADD CONSTRAINT webhook_tells_of_a_task CHECK (kind <> 'webhook' OR coalesce(options ? 'webhook_of', false)) NOT VALID;

-- submit() with webhook. In the place of the one before, since a second function of that name would make calls ambiguous.
DROP FUNCTION taskmaster.submit(text, jsonb, text, timestamptz, interval, integer, interval, timestamptz, integer, jsonb, text, text, text, text,
                                jsonb, boolean, interval, text, interval, text);
CREATE FUNCTION taskmaster.submit(
  kind text, payload jsonb DEFAULT NULL, queue text DEFAULT 'default', run_at timestamptz DEFAULT NULL, delay interval DEFAULT NULL,
  priority integer DEFAULT 0, timeout interval DEFAULT NULL, expires_at timestamptz DEFAULT NULL, max_attempts integer DEFAULT NULL,
  retry jsonb DEFAULT NULL, delivery text DEFAULT 'at_least_once', unique_key text DEFAULT NULL, idempotency_key text DEFAULT NULL,
  concurrency_key text DEFAULT NULL, labels jsonb DEFAULT NULL, notify boolean DEFAULT false, heartbeat_timeout interval DEFAULT NULL,
  unique_scope text DEFAULT NULL, unique_period interval DEFAULT NULL, unique_policy text DEFAULT NULL, webhook text DEFAULT NULL)
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
  v_options   jsonb;
BEGIN
  v_fault := CASE
    WHEN kind IS NULL OR kind !~ '^[a-z0-9_.-]{1,64}$' THEN
      format('kind is %s; it has to be 1 to 64 characters out of a-z, 0-9, "_", "." and "-"', coalesce(quote_literal(left(kind, 80)), 'missing'))
    WHEN kind = 'webhook' THEN 'kind is webhook, which is the service''s own; name the URL to tell in webhook of the task itself'
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
    WHEN heartbeat_timeout <> '0' AND heartbeat_timeout NOT BETWEEN '1 second' AND '30 days' THEN
      format('heartbeat_timeout is %s; it has to be 0 (none), or 1 second to 30 days', heartbeat_timeout)
    WHEN unique_scope NOT IN ('until_finished', 'while_waiting', 'for_period') THEN
      format('unique_scope is %s; it has to be until_finished, while_waiting or for_period', quote_literal(left(unique_scope, 80)))
    WHEN unique_policy NOT IN ('return_first', 'refuse', 'replace') THEN
      format('unique_policy is %s; it has to be return_first or refuse', quote_literal(left(unique_policy, 80)))
    WHEN unique_policy = 'replace' THEN
      'unique_policy is replace, which is for HTTP and gRPC: only the leading coordinator changes a waiting task, and not within your transaction'
    WHEN coalesce(unique_key, '') = '' AND num_nonnulls(nullif(unique_scope, 'until_finished'), unique_period, nullif(unique_policy, 'return_first')) > 0 THEN
      'unique_key is missing; it is what tasks are unique by'
    WHEN unique_scope = 'for_period' AND coalesce(unique_period, '0') = '0' THEN 'unique_period is missing; scope for_period holds the key for so long'
    WHEN unique_scope IS DISTINCT FROM 'for_period' AND unique_period IS NOT NULL THEN 'unique_period goes only with unique_scope for_period'
    WHEN unique_period NOT BETWEEN '0' AND '3653 days' THEN format('unique_period is %s; it has to be 0 to 10 years', unique_period)
    WHEN octet_length(webhook) > 2048 THEN format('webhook is %s bytes long; the limit is 2048', octet_length(webhook))
    WHEN webhook ~ '[^\x21-\x7e]' THEN 'webhook contains a space, a control character or one outside ASCII: percent-encode it'
    WHEN webhook <> '' AND webhook !~ '^https?://' THEN 'webhook has to start with https:// or http://'
    WHEN webhook ~ '^https?://([:/?#]|$)' THEN 'webhook names no host'
    WHEN webhook ~ '^https?://[^/?#]*@' THEN 'webhook contains a user name, which everybody who reads the task would see'
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
  -- The names that schema/task_options.cpp reads; what is at its default is left out.
  v_options := nullif(jsonb_strip_nulls(jsonb_build_object(
    'heartbeat_timeout', (extract(epoch FROM nullif(heartbeat_timeout, '0')) * 1000000)::bigint || 'us',
    'unique_scope', nullif(unique_scope, 'until_finished'),
    'unique_policy', nullif(unique_policy, 'return_first'),
    'unique_period', (extract(epoch FROM unique_period) * 1000000)::bigint || 'us',
    'unique_key', CASE WHEN unique_scope = 'for_period' THEN unique_key END,
    'webhook', nullif(webhook, ''))), '{}');
  IF idempotency_key IS NOT NULL THEN
    v_print := sha256(convert_to(jsonb_build_array(kind, v_payload, queue, run_at, delay, priority, timeout, expires_at, v_attempts, retry,
                                                   delivery, unique_key, concurrency_key, labels, v_options)::text, 'UTF8'));
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
    DELETE FROM taskmaster.keys k WHERE k.scope = 'unique' AND k.key = unique_key AND k.expires_at <= v_now;
    LOOP
      INSERT INTO taskmaster.keys AS k (scope, key, task_id, expires_at) VALUES ('unique', unique_key, v_id, v_now + unique_period)
      ON CONFLICT DO NOTHING;
      EXIT WHEN FOUND;
      SELECT * INTO v_owner FROM taskmaster.keys k WHERE k.scope = 'unique' AND k.key = unique_key;
      CONTINUE WHEN NOT FOUND;
      IF unique_policy = 'refuse' THEN
        RAISE EXCEPTION 'task % holds the unique_key %', v_owner.task_id, quote_literal(unique_key) USING ERRCODE = 'unique_violation';
      END IF;
      DELETE FROM taskmaster.keys k WHERE k.scope = 'idempotency' AND k.key = idempotency_key AND k.task_id = v_id;
      RETURN v_owner.task_id;
    END LOOP;
  END IF;

  INSERT INTO taskmaster.tasks (id, queue, kind, priority, run_at, created_at, payload, timeout, expires_at, max_attempts,
                                retry_initial, retry_factor, retry_max, retry_jitter, at_most_once, unique_key, concurrency_key, labels,
                                options)
  VALUES (v_id, queue, kind, priority, v_due, v_now, convert_to(v_payload, 'UTF8'), coalesce(timeout, '0'), expires_at, v_attempts,
          v_initial, v_factor, v_max, v_jitter, delivery = 'at_most_once', CASE WHEN unique_period IS NULL THEN unique_key END, concurrency_key,
          CASE WHEN jsonb_typeof(labels) = 'object' AND labels <> '{}' THEN labels END, v_options);
  IF notify THEN
    PERFORM pg_notify('taskmaster_submitted', v_id::text);
  END IF;
  RETURN v_id;
END $$;

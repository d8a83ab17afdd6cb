-- Webhooks. A task that names one (options.webhook) has its URL told of its outcome by a task of kind webhook, which comes to be in the
-- transaction that records the outcome: it exists if and only if the outcome does. A trigger of the history, so that every way to finish, also
-- an older leader's functions, makes it, and tasks without one pay a look at a column that is NULL (schema/webhook.cpp makes the same for
-- memory). The body is text in the payload: what is signed is sent byte for byte, and json keeps the digits of the result.
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
      'result', nullif(convert_from(NEW.result, 'UTF8'), '')::json,
      'error', CASE WHEN NEW.error_code IS NOT NULL THEN json_build_object('code', NEW.error_code, 'message', coalesce(NEW.error_message, '')) END));
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

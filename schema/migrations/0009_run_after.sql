-- For applications: a task that was just submitted, in the same transaction, is to wait for others (0008_graphs.sql), or belongs to a group:
--   SELECT taskmaster.run_after(taskmaster.submit('http', …), after => '["id", {"ref": "id", "on": "finished", "else": "run"}, {"group": "g"}]');
-- `after` as over HTTP; to_jsonb(array[id, id]) of ids that submit() gave will do. It locks no row of another task.

-- What `after` says, entry by entry; an entry that says nothing sensible is refused by its place.
CREATE FUNCTION taskmaster.read_after(p_after jsonb)
RETURNS TABLE (place bigint, parent uuid, in_group text, on_finished boolean, otherwise text)
LANGUAGE plpgsql STABLE AS $$
DECLARE
  v_entry jsonb;
  v_ref   text;
  v_fault text;
BEGIN
  IF p_after IS NULL OR jsonb_typeof(p_after) = 'null' THEN
    RETURN;
  ELSIF jsonb_typeof(p_after) <> 'array' THEN
    RAISE EXCEPTION 'after has to be an array of ids, or of objects of ref or group, on and else' USING ERRCODE = 'invalid_parameter_value';
  ELSIF jsonb_array_length(p_after) > 10000 THEN
    RAISE EXCEPTION 'after has % entries; the limit is 10000; a group stands for any number of tasks', jsonb_array_length(p_after)
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
  FOR v_entry, place IN SELECT e.value, e.ordinality FROM jsonb_array_elements(p_after) WITH ORDINALITY AS e LOOP
    IF jsonb_typeof(v_entry) = 'string' THEN
      v_entry := jsonb_build_object('ref', v_entry);
    END IF;
    v_ref := CASE jsonb_typeof(v_entry) WHEN 'object' THEN v_entry ->> 'ref' END;
    in_group := CASE jsonb_typeof(v_entry) WHEN 'object' THEN v_entry ->> 'group' END;
    otherwise := coalesce(v_entry ->> 'else', 'cancel');
    v_fault := CASE
      WHEN num_nonnulls(v_ref, in_group) <> 1 THEN 'has to name one of ref (the id of a task) and group'
      WHEN v_ref !~ '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$' THEN format('is %s, which is not the id of a task', quote_literal(left(v_ref, 80)))
      WHEN coalesce(v_entry ->> 'on', 'succeeded') NOT IN ('succeeded', 'finished') THEN 'has an on that is neither succeeded nor finished'
      WHEN otherwise NOT IN ('cancel', 'fail', 'run') THEN 'has an else that is none of cancel, fail and run'
      WHEN (v_entry - '{ref,group,on,else}'::text[]) <> '{}' THEN 'has a part that is none of ref, group, on and else'
    END;
    IF v_fault IS NOT NULL THEN
      RAISE EXCEPTION 'after[%] %', place - 1, v_fault USING ERRCODE = 'invalid_parameter_value';
    END IF;
    parent := v_ref::uuid;
    on_finished := coalesce(v_entry ->> 'on', 'succeeded') = 'finished';
    RETURN NEXT;
  END LOOP;
END $$;

-- Gives the task's id. A task that this transaction did not submit (its key was taken) stays as it is.
CREATE FUNCTION taskmaster.run_after(task uuid, after jsonb DEFAULT NULL, in_group text DEFAULT NULL) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
  v_task  taskmaster.tasks;
  v_row   record;
  v_waits integer := 0;
BEGIN
  IF in_group !~ '^[A-Za-z0-9_.:/-]{1,64}$' THEN
    RAISE EXCEPTION 'in_group is %; it has to be 1 to 64 characters out of letters, digits, "_", ".", ":", "/" and "-"', quote_literal(left(in_group, 80))
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
  SELECT * INTO v_task FROM taskmaster.tasks t WHERE t.id = task AND t.xid = pg_current_xact_id();
  IF NOT FOUND THEN
    RETURN task;
  ELSIF v_task.waits_for > 0 THEN
    RAISE EXCEPTION 'task % waits for others already; say everything in one call', task USING ERRCODE = 'invalid_parameter_value';
  END IF;
  SELECT a.place, a.parent INTO v_row
    FROM taskmaster.read_after(after) AS a
   WHERE a.parent = task
      OR (a.parent IS NOT NULL
          AND NOT EXISTS (SELECT FROM taskmaster.tasks t WHERE t.id = a.parent)
          AND NOT EXISTS (SELECT FROM taskmaster.task_history h WHERE h.id = a.parent AND h.finished_at >= taskmaster.finished_after(a.parent)))
   ORDER BY a.place LIMIT 1;
  IF v_row.parent = task THEN
    RAISE EXCEPTION 'after[%] names the task itself, which would never start', v_row.place - 1 USING ERRCODE = 'invalid_parameter_value';
  ELSIF v_row.parent IS NOT NULL THEN
    RAISE EXCEPTION 'after[%] names task %, and there is no such task', v_row.place - 1, v_row.parent USING ERRCODE = 'invalid_parameter_value';
  ELSIF EXISTS (WITH RECURSIVE above AS (
                  SELECT a.parent AS id FROM taskmaster.read_after(after) AS a WHERE a.parent IS NOT NULL
                  UNION
                  SELECT t.id FROM taskmaster.read_after(after) AS a JOIN taskmaster.tasks t ON t.options ->> 'group' = a.in_group WHERE t.id <> task
                  UNION
                  SELECT e.parent FROM above b JOIN taskmaster.edges e ON e.child = b.id
                                                JOIN taskmaster.tasks t ON t.id = b.id AND t.xid = pg_current_xact_id())
                SELECT FROM above WHERE id = task) THEN
    RAISE EXCEPTION 'after closes a cycle, in which none would ever start: task % is waited for by what it is to wait for', task
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
  WITH put AS (
    INSERT INTO taskmaster.edges (parent, child, on_finished, otherwise)
    SELECT a.parent, task, a.on_finished, a.otherwise FROM taskmaster.read_after(after) AS a WHERE a.parent IS NOT NULL
    UNION ALL
    SELECT t.id, task, a.on_finished, a.otherwise
      FROM taskmaster.read_after(after) AS a JOIN taskmaster.tasks t ON t.options ->> 'group' = a.in_group
     WHERE t.id <> task
    LIMIT 100001
    ON CONFLICT DO NOTHING
    RETURNING parent
  ), noted AS (
    INSERT INTO taskmaster.follow_ups (parent) SELECT p.parent FROM put p
  )
  SELECT count(*) INTO v_waits FROM put;
  IF v_waits > 100000 THEN
    RAISE EXCEPTION 'after would have the task wait for more than 100000 tasks, the limit' USING ERRCODE = 'invalid_parameter_value';
  END IF;
  UPDATE taskmaster.tasks t
     SET waits_for = nullif(v_waits, 0),
         run_at = CASE WHEN v_waits > 0 THEN 'infinity' ELSE t.run_at END,
         options = nullif(coalesce(t.options, '{}') || jsonb_strip_nulls(jsonb_build_object(
           'group', in_group,
           'due', CASE WHEN v_waits > 0 AND t.run_at > t.created_at THEN to_char(t.run_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') END)), '{}')
   WHERE t.id = task;
  RETURN task;
END $$;

-- A dump that is restored on another server keeps the transaction numbers of the old one in tasks.xid. Those that lie ahead of the new server's
-- are read again by every scan: 60,000 rows a second with 250,000 waiting tasks, and tasks from SQL start after three seconds. No row that a
-- statement can see was written by a transaction that its own snapshot does not know yet, so such a row comes from elsewhere.

-- Gives at most p_most such rows the number of this transaction; how many it found. The index tasks_xid serves it: nothing is read when there are none.
CREATE FUNCTION taskmaster.renew_transactions_v1(p_term bigint, p_most integer) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
  v_ids uuid[];
BEGIN
  PERFORM taskmaster.hold_term_v1(p_term);
  SELECT array_agg(f.id) INTO v_ids
    FROM (SELECT t.id FROM taskmaster.tasks t WHERE t.xid >= pg_snapshot_xmax(pg_current_snapshot()) ORDER BY t.xid, t.id LIMIT p_most) AS f;
  UPDATE taskmaster.tasks t SET xid = pg_current_xact_id() WHERE t.id = ANY (v_ids);
  RETURN coalesce(cardinality(v_ids), 0);
END $$;

-- At most $2 tasks of each: who asks wants to know whether there is one, and which to cancel.
SELECT n.name, t.id
  FROM unnest($1::text[]) AS n (name),
       LATERAL (SELECT t.id FROM taskmaster.tasks t WHERE t.options ? 'schedule' AND t.options ->> 'schedule' = n.name LIMIT $2::bigint) AS t

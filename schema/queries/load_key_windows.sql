-- Many keys' windows in one round trip. `taken` is what the limit let in, before the cut by bytes. No row for a place: that key has
-- nothing behind its mark.
SELECT u.place, t.taken, {planned}
  FROM unnest($1::text[], $2::text[], $3::integer[], $4::text[], $5::timestamptz[], $6::uuid[])
         WITH ORDINALITY AS u (queue, kind, priority, key, run_at, id, place)
  JOIN LATERAL (SELECT i.*, count(*) OVER () AS taken, row_number() OVER walk AS row,
                       sum(octet_length(i.payload)) OVER walk - octet_length(i.payload) AS before
                  FROM (SELECT * FROM taskmaster.tasks
                         WHERE concurrency_key = u.key AND queue = u.queue AND kind = u.kind AND priority = u.priority
                           AND (run_at, id) > (u.run_at, u.id) AND run_at < 'infinity'
                         ORDER BY run_at, id LIMIT $7::bigint) AS i
                WINDOW walk AS (ORDER BY i.run_at, i.id)) AS t ON t.row = 1 OR t.before < $8::bigint
 ORDER BY u.place, t.run_at, t.id

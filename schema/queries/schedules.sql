-- A page by name; with $3 that one alone. The window over the lengths of payloads cuts a page of long ones, as load_window does.
SELECT name, version, step, paused, next_at, last_at, buffered_at, created_at, updated_at, tzdata, definition::text, queue, kind, priority,
       payload, timeout, max_attempts, retry_initial, retry_factor, retry_max, retry_jitter, at_most_once, concurrency_key, labels, options
  FROM (SELECT s.*, sum(octet_length(s.payload)) OVER (ORDER BY s.name) - octet_length(s.payload) AS before
          FROM (SELECT * FROM taskmaster.schedules
                 WHERE name > $1::text AND ($3::text IS NULL OR name = $3::text) ORDER BY name LIMIT $2::bigint) AS s) AS s
 WHERE s.before < $4::bigint
 ORDER BY name

-- A task that was released since it was read has the same version and another run_at; changed by what was read, it would wait for nothing for
-- ever. Then no version is the right one. Nobody but this lane releases tasks, so a look is enough.
SELECT {planned}
  FROM taskmaster.edit_task_v1($1, $2,
         CASE WHEN NOT EXISTS (SELECT FROM taskmaster.tasks o WHERE o.id = $2::uuid AND (o.run_at = 'infinity') <> ($8::timestamptz = 'infinity'))
              THEN $3::integer END,
         $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22) AS t

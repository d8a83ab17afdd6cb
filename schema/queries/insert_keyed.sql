-- Rows with keys; migrations/0003_submit.sql says how, 0010_control.sql has the version in use.
SELECT place, verdict, id, run_at, created_at
  FROM taskmaster.insert_keyed_v3($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)

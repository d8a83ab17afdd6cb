-- migrations/0008_graphs.sql says how.
SELECT place, verdict, id, run_at, created_at
  FROM taskmaster.insert_graph_v1($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23,
                                  $24, $25, $26, $27, $28, $29, $30, $31, $32, $33)

-- The same names are allowed, asked in another way: PostgreSQL unrolls a bounded repetition, and `{1,64}` took 3.5 us where `+` takes 0.4. A row
-- of tasks has two such names: they were half of every insert. NOT VALID: what the old checks let in passes the new ones, so no scan need look.
ALTER TABLE taskmaster.tasks
  DROP CONSTRAINT queue_is_a_name, DROP CONSTRAINT kind_is_a_name,
  ADD CONSTRAINT queue_is_a_name CHECK (queue ~ '^[a-z0-9_.-]+$' AND octet_length(queue) <= 64) NOT VALID,
  ADD CONSTRAINT kind_is_a_name CHECK (kind ~ '^[a-z0-9_.-]+$' AND octet_length(kind) <= 64) NOT VALID;

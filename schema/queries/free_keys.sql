SELECT id FROM taskmaster.free_keys_v1($1, $2, $3, $4)

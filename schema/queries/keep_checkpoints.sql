SELECT taskmaster.keep_checkpoints_v1($1, $2, $3, $4, $5)

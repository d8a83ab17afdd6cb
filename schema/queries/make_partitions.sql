SELECT taskmaster.make_partitions_v1($1)

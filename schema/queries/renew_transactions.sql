SELECT taskmaster.renew_transactions_v1($1::bigint, $2::integer)

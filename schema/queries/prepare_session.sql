-- Once per connection. READ COMMITTED is what R1 to R4 are written for. Plans are made while tables are nearly empty and kept, so sequential
-- scans and the joins that want them are off: each statement of ours has an index. The server looks every second whether we are
-- still there, so that a call given up ends on its side too.
SELECT set_config('default_transaction_isolation', 'read committed', false), set_config('client_connection_check_interval', '1s', false),
       set_config('idle_in_transaction_session_timeout', '5s', false), set_config('jit', 'off', false),
       set_config('enable_seqscan', 'off', false), set_config('enable_bitmapscan', 'off', false),
       set_config('enable_hashjoin', 'off', false), set_config('enable_mergejoin', 'off', false)

#!lua flags=no-writes
-- Ended jobs of the log, whole, those that a run has chosen: to be copied into another queue.
-- KEYS meta memo log
-- ARGV run cursor from_ms to_ms kind hows stamped limit
-- USES now fields label stamp ahead choose
-- REPLY read uninitialised
-- {read, id to go on after or '', {{id, fields}..}}. Crash points: none, it only reads.
if redis.call('HEXISTS', meta, 'ms') == 0 then return {'uninitialised'} end
local rows, next_cursor = choose()
return {'read', next_cursor, rows}

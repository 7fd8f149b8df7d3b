#!lua flags=no-writes
-- Whether a batch owes anything, and how far its callbacks are.
-- KEYS head outbox
-- REPLY seen unknown
-- {seen, effects owed, complete, success, death}, a callback whose time has not come as ''. Crash points: none, it only
-- reads.
local row = redis.call('HMGET', head, 'state', 'complete', 'success', 'death')
if not row[1] then return {'unknown'} end
return {'seen', redis.call('HLEN', outbox) - 1, row[2] or '', row[3] or '', row[4] or ''}

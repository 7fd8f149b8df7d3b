#!lua
-- New jobs into ready, copied from the log of another queue's partition, in the order of its entries. The memo knows how far
-- that partition has been copied by this run, so a chunk that comes again, whole or in part, adds nothing twice.
-- KEYS meta memo ready...
-- ARGV wake nonce step run source jobs...
-- USES now ids ring run after
-- REPLY copied closed uninitialised
-- source = number of that partition; jobs = (entry id there, jid, type, body, priority) each. Memo y:<run>.<source> =
-- "<copied>|<ms>|0|<last id>". {copied, in all, last id or ''}; no jobs: only that. Crash points: none.
local head = redis.call('HMGET', meta, 'ms', 'seq', 'drained')
if not head[1] then return {'uninitialised'} end
local _, _, shut = run_before(run)
if shut then return {'closed', 0} end
local name = 'y:' .. run .. '.' .. source
local value = redis.call('HGET', memo, name) or '0|0|0|'
local copied, last = string.match(value, '^(%d+)|%d+|0|(.*)$')
copied = tonumber(copied)
last_ms, last_seq = tonumber(head[1]), tonumber(head[2])
local now, best = now_ms(), 0
for i = 1, #jobs, 5 do
  if last == '' or after(jobs[i], last) then
    local priority = tonumber(jobs[i + 4])
    add(ready[priority], now, 'j', jobs[i + 1], 't', jobs[i + 2], 'b', jobs[i + 3])
    copied, best, last = copied + 1, math.max(best, priority), jobs[i]
  end
end
if #jobs > 0 then redis.call('HSET', memo, name, whole(copied) .. '|' .. whole(now) .. '|0|' .. last) end
if best > 0 then
  redis.call('HINCRBY', meta, 'enqueued', copied - tonumber(string.match(value, '^%d+')))
  redis.call('HSET', meta, 'ms', whole(last_ms), 'seq', whole(last_seq), 'careful', '1')
  ring(head[3], best)
end
return {'copied', copied, last}

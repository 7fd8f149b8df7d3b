#!lua flags=allow-oom
-- later -> ready at once: scheduled and retrying jobs that somebody does not want to wait for.
-- KEYS meta later rest...
-- ARGV wake nonce step due_ms jids...
-- USES now ids ring record bucket rise
-- REPLY hastened uninitialised
-- rest = 16 jobs hashes, then ready 1 to 9; due_ms = when they were seen to be due, '' for whenever: a job that is to be
-- retried anew meanwhile waits on, whoever repeats this or comes late. {hastened, count}. Crash points: none.
local head = redis.call('HMGET', meta, 'ms', 'seq', 'drained')
if not head[1] then return {'uninitialised'} end
last_ms, last_seq = tonumber(head[1]), tonumber(head[2])
local now, count, best = now_ms(), 0, 0
for _, jid in ipairs(jids) do
  local at_ms = jid ~= '' and redis.call('ZSCORE', later, jid)
  if at_ms and (due_ms == '' or tonumber(due_ms) == tonumber(at_ms)) then
    local priority = rise(jid, now)
    if priority > 0 then count, best = count + 1, math.max(best, priority) end
  end
end
if count > 0 then
  redis.call('HSET', meta, 'ms', whole(last_ms), 'seq', whole(last_seq))
  redis.call('HINCRBY', meta, 'promoted', count)
  ring(head[3], best)
end
return {'hastened', count}

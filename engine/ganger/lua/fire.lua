#!lua
-- A tick of a cron entry becomes a job, once, whoever calls and however often; or it is passed over. The tick is
-- remembered by the same script, so both are there or neither. A full server refuses it, and the tick stays due.
-- KEYS meta crons locks stream
-- ARGV wake nonce step name tick missed lock hold_ms priority jid kind body
-- USES now ids ring label crons
-- REPLY fired passed skipped repeat early paused held unknown uninitialised
-- tick '' = now, on a person's wish: paused or not, and no tick is covered. kind '' = nothing fires, ticks fall away.
-- {skipped | held, jid of the run that goes on}; {repeat, covered ms}: another has seen to it; {early, in ms}. A call
-- whose own jid is there already (its reply was lost) hears the same word again.
-- Crash points: none.
local head = redis.call('HMGET', meta, 'ms', 'seq', 'drained', 'enqueued')
if not head[1] then return {'uninitialised'} end
local cron, now = read_cron(name), now_ms()
if not cron then return {'unknown'} end
local due, fallen = tonumber(tick), tonumber(missed)
if string.find(cron.events, ' ' .. jid .. '\n', 1, true) then return {'fired'} end
if due then
  if due <= cron.covered then return {'repeat', whole(cron.covered)} end
  if due > now then return {'early', whole(due - now)} end
  if cron.paused > 0 then return {'paused'} end
  cron.covered = due
end
local holder, till = string.match(lock ~= '' and redis.call('HGET', locks, lock) or '', '^([^|]*)|(%d+)')
if not holder or tonumber(till) <= now then holder = nil end
if holder and not due then return {'held', holder} end
if fallen > 0 then
  cron.missed = cron.missed + fallen
  note_cron(cron, tick, now, 'missed', missed)
end
if kind == '' or holder then
  if kind ~= '' then
    cron.skipped = cron.skipped + 1
    note_cron(cron, tick, now, 'skipped', holder)
  end
  write_cron(name, cron)
  return kind == '' and {'passed', tick} or {'skipped', holder}
end
last_ms, last_seq = tonumber(head[1]), tonumber(head[2])
add(stream, now, 'j', jid, 't', kind, 'b', body)
redis.call('HSET', meta, 'ms', whole(last_ms), 'seq', whole(last_seq), 'enqueued', whole((head[4] or 0) + 1))
if label_of(body) then redis.call('HSET', meta, 'careful', '1') end
if lock ~= '' then redis.call('HSET', locks, lock, jid .. '|' .. whole(now + hold_ms)) end
cron.fired = cron.fired + 1
note_cron(cron, due and tick or whole(now), now, due and 'fired' or 'run', jid)
write_cron(name, cron)
ring(head[3], priority)
return {'fired'}

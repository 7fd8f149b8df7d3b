#!lua flags=allow-oom
-- log -> ready: ended jobs run again, in the order of their ends, those that a run has chosen. Entries move, so a job
-- is in one place; a call that is repeated finds them gone and takes the next. They begin anew: without their state,
-- the hour at which they were to expire, or what was told of their end (tracks). Or `back`, when the run that skipped
-- them is undone: as they waited.
-- KEYS meta memo tracks log ready...
-- ARGV wake nonce step run act cursor from_ms to_ms kind hows stamped limit
-- USES now ids ring fields label stamp run ahead choose tally
-- REPLY replayed counted closed uninitialised
-- act = again | back | count. {replayed, by this run here in all, the id to go on after or ''}; {counted, number, id or '',
-- first ms, last ms, type, number ..}; {closed, by this run in all}: it is being undone. Crash points: none.
local head = redis.call('HMGET', meta, 'ms', 'seq', 'drained')
if not head[1] then return {'uninitialised'} end
local moved, taken_back, shut = run_before(run)
if shut and act == 'again' then return {'closed', moved} end
local rows, next_cursor = choose()
if act == 'count' then
  for _, row in ipairs(rows) do tally(ended_at(row[1], row[2]), field(row[2], 't') or '') end
  return tallied_reply(next_cursor)
end
last_ms, last_seq = tonumber(head[1]), tonumber(head[2])
local now, best = now_ms(), 0
for _, row in ipairs(rows) do
  local id, fields = row[1], row[2]
  local jid, body, state = field(fields, 'j') or '', field(fields, 'b') or '', field(fields, 's') or ''
  local label, priority = label_of(body), tonumber(priority_of(fields, 0))
  if label and label_word(label, 't') then redis.call('HDEL', tracks, 'e:' .. jid, 'p:' .. jid) end
  if act == 'back' then
    body = relabel(body, 'r')
  else
    body = relabel(body, 'xr', 'r' .. run .. ':' .. whole(ended_at(id, fields)) .. ':' .. (field(fields, 'h') or ''))
    state = ''
  end
  local words = {'j', jid, 't', field(fields, 't') or '', 'b', body}
  if state ~= '' then words[7], words[8] = 's', state end
  add(ready[priority], now, unpack(words))
  redis.call('XDEL', log, id)
  best = math.max(best, priority)
end
if act == 'back' then taken_back = taken_back + #rows else moved = moved + #rows end
run_after(run, now, moved, taken_back, act == 'back')
if #rows > 0 then
  redis.call('HSET', meta, 'ms', whole(last_ms), 'seq', whole(last_seq))
  redis.call('HINCRBY', meta, 'replayed', #rows)
  ring(head[3], best)
end
return {'replayed', act == 'back' and taken_back or moved, next_cursor}
